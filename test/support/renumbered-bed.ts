import { expect } from "vitest";
import { desiredNetwork } from "../../src/migrator/desired-network.ts";
import { attachmentOf, type HostFacts } from "../../src/migrator/network.ts";
import type { Drain, GuestRecord } from "../../src/migrator/records.ts";
import type { DesiredState } from "../../src/routing/desired.ts";
import { aToB, bToA, hostA, hostB, recordOf, tunnelOf } from "../unit/migrator/support.ts";
import { packetsWhile } from "./capture.ts";
import { connect, createNamespace, type Namespace } from "./namespaces.ts";
import { startTalker, type Talker } from "./talker.ts";
import {
  createTwoHosts,
  guestMac,
  guestPort,
  ping,
  plugGuest,
  type TwoHosts,
  tunnel,
} from "./two-hosts.ts";

export const oldAddress = "10.1.0.10";
export const newAddress = "10.2.0.50";
export const siblingAddress = "10.2.0.20";
export const clientAddress = "192.0.2.2";

/** The gateway is a's bridge. */
const web1 = recordInBed("52:54:00:99:00:01");
const drain: Drain = {
  ...{ migration: "m1", renumbered: newAddress, begunMs: 0, idleTimeoutS: 60, capS: null },
  ...{ nameUpdatedMs: null, nameTtlS: 0 },
};
const redirect = { host: "host-b", tunnel: aToB, drain };
const hosting = { stage: "running", tableIndex: 0, homeTunnel: bToA, sourceTunnel: null } as const;

/** What both hosts know while the guest is at b, first with its old address only. */
export const records = {
  moved: [
    { ...web1, redirect },
    { ...web1, hosting },
  ],
  /** Prepared at b; packets may come from a already. */
  expected: [
    { ...web1, redirect },
    {
      ...web1,
      hosting: { ...hosting, stage: "incoming", sourceTunnel: bToA, renumbered: newAddress },
    },
  ],
  renumbered: [
    { ...web1, redirect },
    { ...web1, hosting: { ...hosting, renumbered: newAddress } },
  ],
  retired: [
    web1,
    { ...web1, hosting: { ...hosting, homeTunnel: null, retired: true, renumbered: newAddress } },
  ],
  /** By hand: without a new address. */
  isolated: [web1, { ...web1, hosting: { ...hosting, homeTunnel: null, retired: true } }],
} satisfies Record<string, [GuestRecord, GuestRecord]>;

export const { bridge } = attachmentOf(hostB, records.renumbered[1]);

/** Two hosts and a client; b has a guest of its own beside the one that is about to come. */
export interface RenumberedBed extends AsyncDisposable {
  hosts: TwoHosts;
  sibling: Namespace;
  talkers: Record<"client" | "guest" | "sibling", Talker>;
  /** Makes both kernels as the records say. */
  apply(of: readonly [GuestRecord, GuestRecord]): Promise<void>;
  /** The guest looks for its gateway anew, and for whoever else has its address: there is nobody. */
  expectNeighbours(): Promise<void>;
  /** Moves the guest's cable from a to b. */
  replug(): Promise<void>;
}

/** The guest is at home. */
export async function openRenumberedBed(): Promise<RenumberedBed> {
  await using stack = new AsyncDisposableStack();
  const hosts = stack.use(await createTwoHosts("direct"));
  const sibling = stack.use(await createNamespace("sibling"));
  await hosts.b.ip("link add name guests0 address 52:54:00:99:00:02 type bridge forward_delay 0");
  await hosts.b.ip("address add 10.2.0.1/24 dev guests0");
  await hosts.b.ip("link set dev guests0 up");
  await hosts.b.sysctl("net/ipv4/icmp_ratelimit", "0");
  await hosts.b.run("tee", ["/proc/sys/net/bridge/bridge-nf-call-iptables"], {
    input: "0",
    acceptExitCodes: [0, 1],
  });
  await connect(
    { namespace: hosts.b, device: "sport" },
    { namespace: sibling, device: "eth0", address: `${siblingAddress}/24` },
  );
  await hosts.b.ip("link set dev sport master guests0");
  await sibling.ip("route add default via 10.2.0.1");
  await plugGuest(hosts, hosts.a, "guests0");
  const [client, guest, beside] = await Promise.all(
    [hosts.client, hosts.guest, sibling].map(startTalker),
  );
  if (!client || !guest || !beside) throw new Error("three talkers");
  for (const talker of [client, guest, beside]) stack.use(talker);
  const owned = stack.move();
  return {
    ...{ hosts, sibling, talkers: { client, guest, sibling: beside } },
    async apply([home, away]) {
      await hosts.planeB.apply(onVeth(hostB, away));
      await hosts.planeA.apply(onVeth(hostA, home));
    },
    async expectNeighbours() {
      await hosts.guest.ip("neigh flush dev eth0");
      expect(await ping(hosts.guest, siblingAddress, 1)).toHaveLength(1);
      const line = ["arping", "-D", "-q", "-c", "1", "-w", "1", "-I", "eth0", oldAddress];
      await hosts.guest.run("busybox", line);
    },
    async replug() {
      await hosts.a.ip(`link set dev ${guestPort} netns ${hosts.b.name}`);
      await hosts.b.ip(`link set dev ${guestPort} master ${bridge} up`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/**
 * What b passes on while `action` runs, on its way home and on its own way to the world: each packet as `FROM > TO`, once.
 */
export async function pathsWhile(
  { hosts }: RenumberedBed,
  action: () => Promise<void>,
): Promise<{ home: string[]; world: string[] }> {
  let world: string[] = [];
  const home = await packetsWhile(hosts.b, tunnel, "ip", async () => {
    world = await packetsWhile(hosts.b, "eth0", "ip", action);
  });
  return { home: directions(home), world: directions(world) };
}

function directions(packets: readonly string[]): string[] {
  const found = packets.flatMap((line) => {
    const [, from, to] = / IP (\d+\.\d+\.\d+\.\d+)\S* > (\d+\.\d+\.\d+\.\d+)/.exec(line) ?? [];
    return from === undefined ? [] : [`${from} > ${to}`];
  });
  return [...new Set(found)].toSorted();
}

/** With the MAC addresses of the guest and of its gateway. */
export function recordInBed(gatewayMac: string): GuestRecord {
  const record = recordOf("web1", 10);
  const nics = record.definition.nics.map((nic) => ({ ...nic, mac: guestMac }));
  return {
    ...record,
    definition: { ...record.definition, nics },
    home: { ...record.home, gatewayMac },
  };
}

/** The guest here is a namespace behind a veth: its tap has nobody at its other end. */
export function onVeth(host: HostFacts, record: GuestRecord): DesiredState {
  const facts = { ...host, tracksFlows: true };
  const tunnelHere: typeof tunnelOf = (spec) => ({ ...tunnelOf(spec), interfaceName: tunnel });
  const state = desiredNetwork(facts, [record], tunnelHere);
  const { tap } = attachmentOf(host, record);
  return JSON.parse(JSON.stringify({ ...state, taps: [], fdb: [] }).replaceAll(tap, guestPort));
}
