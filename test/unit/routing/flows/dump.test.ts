import { describe, expect, it } from "vitest";
import { dumpFlows } from "../../../../src/routing/flows/dump.ts";
import { encodeNewFlow } from "../../../../src/routing/flows/encode.ts";
import { NetfilterNetlink } from "../../../../src/routing/flows/netfilter.ts";
import { cta } from "../../../../src/routing/flows/wire.ts";
import {
  networkNumberAttribute,
  networkShortAttribute,
  parseAttributes,
} from "../../../../src/routing/netlink/attributes.ts";
import { NetlinkError } from "../../../../src/routing/netlink/failures.ts";
import { guestFlowOf } from "../../../support/guest-flows.ts";

const guest = "10.1.0.10";
const entry = (address: string, peerPort: number, id: number, ...more: Buffer[]) =>
  Buffer.concat([
    encodeNewFlow(address, guestFlowOf({ peerPort }), 0),
    networkNumberAttribute(cta.id, id),
    ...more,
  ]);
const own = [entry(guest, 1, 7), entry(guest, 2, 7)];
const others = [entry("10.1.0.11", 3, 8), entry(guest, 4, 9, networkShortAttribute(cta.zone, 5))];

/** A kernel with `table`, and with what older or newer ones say to a filter. */
class Kernel extends NetfilterNetlink {
  readonly asked: boolean[] = [];
  readonly #table: readonly Buffer[];
  readonly #refusal: string | null;

  constructor(table: readonly Buffer[], refusal: string | null = null) {
    super();
    this.#table = table;
    this.#refusal = refusal;
  }

  override async dumpEach(
    request: string,
    _type: number,
    data: Buffer,
    begin: () => (object: Buffer) => void,
  ): Promise<void> {
    const isFiltered = parseAttributes(data, 4).has(cta.filter);
    this.asked.push(isFiltered);
    // Interrupted after its first object, and begun again.
    begin()(this.#table[0] as Buffer);
    if (isFiltered && this.#refusal !== null) throw new NetlinkError(this.#refusal, request);
    this.#table.map(begin());
  }
}

describe("the list of a guest's flows", () => {
  const ports = async (kernel: Kernel) =>
    (await dumpFlows(kernel, guest)).map(({ original }) => original.sourcePort);

  it("has none of others, even of a kernel that knows no filter, and both of two that share a number", async () => {
    const kernel = new Kernel([...own, ...others, ...own]);
    expect(await ports(kernel)).toEqual([1, 2]);
    expect(kernel.asked).toEqual([true, true]);
  });

  it("is made of the whole table where the kernel refuses to filter", async () => {
    const kernel = new Kernel([...own, ...others], "EOPNOTSUPP");
    expect(await ports(kernel)).toEqual([1, 2]);
    expect(kernel.asked).toEqual([true, false]);
  });

  it("fails with the kernel's word for everything else, and for anything but an address", async () => {
    const kernel = new Kernel(own, "EPERM");
    await expect(dumpFlows(kernel, guest)).rejects.toMatchObject({ code: "SOJ_NETLINK_EPERM" });
    await expect(dumpFlows(kernel, "--help")).rejects.toMatchObject({ code: "SOJ_BAD_ADDRESS" });
  });
});
