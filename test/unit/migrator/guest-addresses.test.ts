import { beforeEach, describe, expect, it, test } from "vitest";
import { addressesOf, GuestAddresses } from "../../../src/migrator/guest-addresses.ts";
import { refuseTwin } from "../../../src/migrator/home-record.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { aToB, definitionOf, hostA, recordOf } from "./support.ts";

type Hosting = NonNullable<GuestRecord["hosting"]>;

const hosting: Hosting = {
  ...{ stage: "running", tableIndex: 0, homeTunnel: null, sourceTunnel: null },
};
const departed: NonNullable<GuestRecord["departed"]> = {
  ...{ host: "host-b", migration: "m1", renumbered: "10.2.0.2", reason: "last-flow", atMs: 1 },
};

/** Who answers for which address; asked ones are noted. */
let neighbours: Map<string, string>;
let asked: string[];
let records: Map<string, GuestRecord>;
let addresses: GuestAddresses;

beforeEach(() => {
  neighbours = new Map();
  asked = [];
  records = new Map();
  const definition = (name: string) => {
    if (name === "broken") throw preconditionError("SOJ_GUEST_DEFINITION_INVALID", "broken");
    return definitionOf(name, 3);
  };
  const addressUser = async (device: string, address: string) => {
    asked.push(`${device} ${address}`);
    await new Promise((resolve) => setImmediate(resolve));
    return neighbours.get(address) ?? null;
  };
  addresses = new GuestAddresses({
    host: { ...hostA, underlayAddress: "10.1.0.5" },
    guests: { names: () => ["broken", "stopped", ...records.keys()], definition },
    network: { routing: { addressUser } },
    records: { get: (name: string) => records.get(name), all: () => [...records.values()] },
  } as unknown as HostContext);
});

describe("addresses for guests that arrive", () => {
  it("differ though they are wished for at once, and are free again when they are let go of", async () => {
    const given = await Promise.all(["a", "b", "c"].map((guest) => addresses.give("auto", guest)));
    // .3 is a stopped guest's, .5 the host's own.
    expect(given.map(({ address }) => address)).toEqual(["10.1.0.2", "10.1.0.4", "10.1.0.6"]);
    given[0]?.[Symbol.dispose]();
    expect((await addresses.give("auto", "d")).address).toBe("10.1.0.2");
    expect(asked).toContain("guests0 10.1.0.6");
  });

  it("are not those that somebody answers for", async () => {
    neighbours.set("10.1.0.2", "somebody's").set("10.1.0.4", "routed to eth9 here");
    expect((await addresses.give("auto", "a")).address).toBe("10.1.0.6");
    const refusal = expect.objectContaining({ code: "SOJ_RENUMBER_ADDRESS" });
    await expect(addresses.give("10.1.0.4", "b")).rejects.toThrow(refusal);
    await expect(addresses.give("10.1.0.4", "b")).rejects.toThrow(/it is routed to eth9 here/);
    neighbours.delete("10.1.0.4");
    expect((await addresses.give("10.1.0.4", "b")).address).toBe("10.1.0.4");
  });

  it("are not those of guests that were given theirs meanwhile", async () => {
    const { address } = await addresses.give("10.1.0.2", "a");
    addresses.checkFree(address, "a");
    records.set("web7", { ...recordOf("web7", 7), hosting: { ...hosting, renumbered: address } });
    expect(() => addresses.checkFree(address, "a")).toThrow(/it is web7's/);
    addresses.checkFree(address, "web7");
    expect(addresses.likely("auto", "d")).toBe("10.1.0.4");
  });
});

test("a guest that has left for good has left its address, one that is away has not", () => {
  const away = { ...recordOf("web1", 10), redirect: { host: "host-b", tunnel: aToB } };
  expect(addressesOf(away)).toEqual(["10.1.0.10"]);
  expect(addressesOf({ ...away, redirect: null, departed })).toEqual([]);
  const back = { ...recordOf("web1", 10), departed, hosting };
  expect(addressesOf(back)).toEqual(["10.1.0.10"]);
});

test("a guest with the address that another was given is refused, and told why", () => {
  const guest = { ...recordOf("web7", 7), hosting: { ...hosting, renumbered: "10.1.0.10" } };
  const refused = expect.objectContaining({ code: "SOJ_GUEST_ADDRESS", exitCode: 3 });
  expect(() => refuseTwin(definitionOf("web1", 10), [guest])).toThrow(refused);
  expect(() => refuseTwin(definitionOf("web1", 10), [guest])).toThrow(
    /web7 was given 10\.1\.0\.10/,
  );
  expect(() => refuseTwin(definitionOf("web1", 11), [guest])).not.toThrow();
});
