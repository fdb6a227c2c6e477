import { expect } from "vitest";
import { attachmentOf } from "../../src/migrator/network.ts";
import type { GuestRecord } from "../../src/migrator/records.ts";
import { tunnelName } from "../../src/tunnels/identity.ts";
import { type KeptHost, keepHost } from "../support/kept-host.ts";
import {
  connect,
  createNamespace,
  describeNamespace,
  type Namespace,
} from "../support/namespaces.ts";
import { aToB, hostA, recordOf } from "../unit/migrator/support.ts";

/** A host with one guest of its own that is away, and one of the other host's that is here, by two addresses. */
const own: GuestRecord = { ...recordOf("web1", 10), redirect: { host: "host-b", tunnel: aToB } };
const visitor = visitorRecord();
const facts = { ...hostA, tracksFlows: true };
export const { bridge, tap } = attachmentOf(hostA, visitor);
export const tunnel = tunnelName(aToB);
export const repaired = "somebody else's change to the host's network was repaired";

/** Such a host whose network is kept, and everything that can be asked about it. */
export class KeptBed implements AsyncDisposable {
  readonly host: Namespace;
  readonly kept: KeptHost;
  readonly #stack: AsyncDisposableStack;
  #asWanted: Record<string, string> = {};

  constructor(host: Namespace, kept: KeptHost, stack: AsyncDisposableStack) {
    this.host = host;
    this.kept = kept;
    this.#stack = stack;
  }

  static async up(burst = 3): Promise<KeptBed> {
    await using stack = new AsyncDisposableStack();
    const host = stack.use(await createNamespace("kept"));
    const other = stack.use(await createNamespace("peer"));
    await connect(
      { namespace: host, device: "up0", address: "172.16.1.2/24" },
      { namespace: other, device: "up0", address: "172.16.1.1/24" },
    );
    await host.ip("route add default via 172.16.1.1");
    await host.ip("link add name guests0 address 52:54:00:00:01:01 type bridge");
    await host.ip("address add 10.1.0.1/24 dev guests0");
    await host.ip("link set dev guests0 up");
    const kept = stack.use(await keepHost(host, facts, [own, visitor], burst));
    const bed = new KeptBed(host, kept, stack.move());
    bed.#asWanted = await bed.state();
    return bed;
  }

  async run(line: string): Promise<string> {
    const [program = "", ...args] = line.split(" ");
    return (await this.host.run(program, args)).stdout;
  }

  /** What the keeper has said to people since its log had `from` entries. */
  said(from: number): string[] {
    return this.kept.log.slice(from).flatMap(({ level, msg }) => (level >= 30 ? [msg] : []));
  }

  /** The namespace is as the records say, now or soon. */
  async expectAsWanted(): Promise<void> {
    const state = () => this.state();
    await expect.poll(state, { timeout: 30_000, interval: 100 }).toEqual(this.#asWanted);
  }

  /** Waits until nothing is under way: all that the kernel has told is dealt with, and it tells nothing more. */
  async rest(): Promise<void> {
    let known = -1;
    const isStill = async () => {
      const { lines, isIdle } = await this.kept.figures();
      const isSame = lines === known;
      known = lines;
      return isSame && isIdle;
    };
    await expect.poll(isStill, { timeout: 40_000, interval: 250 }).toBe(true);
  }

  /** Waits until the keeper has not looked for a while, whatever it knows. */
  async waits(): Promise<void> {
    let known = -1;
    const isSame = async () => {
      const before = known;
      known = (await this.kept.figures()).looks;
      return known === before;
    };
    await expect.poll(isSame, { timeout: 30_000, interval: 1_200 }).toBe(true);
  }

  /** The kernel's state, with what is asked by classifiers and switches. */
  async state(): Promise<Record<string, string>> {
    const read = async (program: string, line: string) =>
      (await this.host.run(program, line.split(" "), { acceptExitCodes: [1, 2] })).stdout;
    const ofBridge = ["forwarding", "proxy_arp", "rp_filter", "send_redirects"];
    const switches = [
      ...ofBridge.map((name) => `net.ipv4.conf.${bridge}.${name}`),
      ...["rp_filter", "send_redirects"].map((name) => `net.ipv4.conf.${tunnel}.${name}`),
    ];
    const [described, switched, ...filters] = await Promise.all([
      describeNamespace(this.host),
      read("sysctl", switches.join(" ")),
      ...[`${tunnel} egress`, "up0 ingress"].map((at) => read("tc", `filter show dev ${at}`)),
    ]);
    const inAnyOrder = Object.entries(described).map(([what, text]) => [what, inOrder(text)]);
    return {
      ...Object.fromEntries(inAnyOrder),
      filters: filters.join("").replaceAll(/ (id|tag|jited) ?\S*/g, ""),
      switches: switched,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function visitorRecord(): GuestRecord {
  const record = recordOf("web9", 20);
  const nics = record.definition.nics.map((nic) => ({ ...nic, addresses: ["10.2.0.20/24"] }));
  return {
    ...record,
    definition: { ...record.definition, nics },
    home: { host: "host-b", underlayAddress: "172.16.2.2", gatewayMac: "52:54:00:00:02:01" },
    hosting: {
      ...{ stage: "running", tableIndex: 0, homeTunnel: aToB, sourceTunnel: null },
      renumbered: "10.1.0.50",
    },
  };
}

/** What is made anew has another place in the kernel's lists, and a tunnel's idle end another MAC address. */
function inOrder(text: string): string {
  return text
    .replaceAll(/^(sjx[^\n]*\n\s+link\/ether) \S+/gm, "$1")
    .split(/^(?=\S)/m)
    .toSorted()
    .join("");
}
