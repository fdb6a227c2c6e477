import { expect } from "vitest";
import { desiredNetwork } from "../../src/migrator/desired-network.ts";
import {
  attachmentOf,
  type HostFacts,
  requiredTunnels,
  tunnelKey,
} from "../../src/migrator/network.ts";
import type { GuestRecord } from "../../src/migrator/records.ts";
import { carriable } from "../../src/migrator/source-flows.ts";
import type { DesiredState } from "../../src/routing/desired.ts";
import type { FlowTable } from "../../src/routing/flows/flow-table.ts";
import type { TunnelInterface, TunnelKind, TunnelSpec, Tunnels } from "../../src/tunnels/tunnel.ts";
import { createTunnels } from "../../src/tunnels/tunnels.ts";
import { openFlowTableIn } from "../support/flow-table-in.ts";
import { connect, createNamespace, type Namespace } from "../support/namespaces.ts";
import { openPlaneIn, type RemotePlane } from "../support/routing-plane.ts";
import { startTalker, type Talker } from "../support/talker.ts";
import { ping } from "../support/two-hosts.ts";
import {
  hostA,
  hostB,
  recordOf,
  runningAtHome,
  temporaryFolder,
} from "../unit/migrator/support.ts";
import { runIn } from "./tunnels-support.ts";

const gatewayMac = "52:54:00:00:01:01";
const hostC: HostFacts = {
  ...hostB,
  name: "host-c",
  underlayAddress: "172.16.3.2",
  guestNetworks: [{ subnet: "10.3.0.0/24", gateway: "10.3.0.1", bridge: "guests0" }],
};
const facts = { a: hostA, b: hostB, c: hostC };

export type HostName = keyof typeof facts;
export type GuestName = keyof typeof lastOctets;
/** Between home and each of the others; two kinds, so that what fits through one does not through the other. */
const kinds: Record<Exclude<HostName, "a">, TunnelKind> = { b: "ipip", c: "vxlan" };
/** The first never moves. */
const lastOctets = { stays: 10, one: 11, two: 12 };
const names = Object.keys(lastOctets) as GuestName[];

/** How far a guest's journey has come: what home and the other host know of it. */
export type Journey = "leaving" | "landed" | "away" | "returning" | "returned" | "handed-over";

/** Three hosts around a router, and three guests of the first one's subnet, each a namespace. */
export class SiblingsBed implements AsyncDisposable {
  readonly hosts: Record<HostName, Namespace>;
  readonly guests: Record<GuestName, Namespace>;
  readonly #kernels: Record<HostName, Kernel>;
  readonly #talkers: Record<GuestName, Talker>;
  readonly #records = new Map<GuestName, Partial<Record<HostName, GuestRecord>>>();
  readonly #places = new Map<GuestName, HostName>();
  readonly #stack: AsyncDisposableStack;

  constructor(parts: Pick<SiblingsBed, "hosts" | "guests">, rest: Private) {
    this.hosts = parts.hosts;
    this.guests = parts.guests;
    this.#kernels = rest.kernels;
    this.#talkers = rest.talkers;
    this.#stack = rest.stack;
    for (const guest of names) this.#places.set(guest, "a");
  }

  /** All guests are at home, and each has a session with each of the others. */
  static async up(): Promise<SiblingsBed> {
    await using stack = new AsyncDisposableStack();
    const make = async (label: string) => stack.use(await createNamespace(label));
    const router = await make("router");
    const hosts = { a: await make("sib-a"), b: await make("sib-b"), c: await make("sib-c") };
    const guests = { stays: await make("stays"), one: await make("one"), two: await make("two") };
    const folder = stack.use(temporaryFolder());
    for (const node of [router, ...Object.values(hosts)]) {
      for (const setting of ["ip_forward", "conf/all/rp_filter", "conf/default/rp_filter"]) {
        await node.sysctl(`net/ipv4/${setting}`, "1");
      }
    }
    for (const name of ["a", "b", "c"] as const) await addHost(router, hosts[name], facts[name]);
    for (const guest of names) await plug(hosts.a, guests[guest], guest);
    const kernels = {
      a: await openKernel(hosts.a, folder.path, stack),
      b: await openKernel(hosts.b, folder.path, stack),
      c: await openKernel(hosts.c, folder.path, stack),
    };
    const talkers = {
      stays: stack.use(await startTalker(guests.stays)),
      one: stack.use(await startTalker(guests.one)),
      two: stack.use(await startTalker(guests.two)),
    };
    for (const [from, to] of pairs) {
      expect(await talkers[from].open(to, addressOf(to))).toBe(addressOf(from));
    }
    return new SiblingsBed({ hosts, guests }, { kernels, talkers, stack: stack.move() });
  }

  /** Both kernels are as home's and the other host's records of such a guest ask. */
  async bring(guest: Exclude<GuestName, "stays">, other: Exclude<HostName, "a">, to: Journey) {
    if (to === "leaving") await this.#carryFlows(guest, "a", other);
    if (to === "returning") await this.#carryFlows(guest, other, "a");
    this.#records.set(guest, recordsOf(guest, other, to));
    const isAway = to === "landed" || to === "away" || to === "returning";
    await this.#apply(other);
    await this.#apply("a");
    const place = isAway ? other : "a";
    if (this.#places.get(guest) !== place) await this.#replug(guest, place);
  }

  /** Nothing is known of the guest at the other host any more, and it is at home like one that never left. */
  async settle(guest: Exclude<GuestName, "stays">, other: Exclude<HostName, "a">): Promise<void> {
    this.#records.delete(guest);
    await this.#apply("a");
    await this.#apply(other);
  }

  /**
   * Whoever talks to whom goes on, with packets of any size, and each finds each of the others: with nothing in their ARP
   * caches, and with what they knew when all were on one bridge and have never forgotten.
   */
  async expectAllConnected(where: string): Promise<void> {
    for (const memory of ["of nobody", "of all"] as const) {
      for (const guest of names) await this.#remember(guest, memory);
      await Promise.all(
        pairs.map(async ([from, to]) => {
          const what = `${where}, with ARP entries ${memory}: ${from} to ${to}`;
          expect(await ping(this.guests[from], addressOf(to), 1), what).toHaveLength(1);
          // Whoever is told that one was too large counts it as lost, whether or not it is answered.
          const answers = await ping(this.guests[from], addressOf(to), 3, 1_500);
          expect(answers.length, `${what}, large`).toBeGreaterThan(0);
          expect(await this.#talkers[from].say(to, 200_000), what).toBe(addressOf(from));
        }),
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  /** As a migration's source does it. */
  async #carryFlows(guest: GuestName, from: HostName, to: HostName): Promise<void> {
    const address = addressOf(guest);
    const tracked = await this.#kernels[from].flows.read(address);
    const flows = await carriable(address, tracked, null);
    await this.#kernels[to].flows.install(address, flows, { redirected: to !== "a" });
  }

  async #apply(name: HostName): Promise<void> {
    const { plane, tunnels } = this.#kernels[name];
    const records = names.flatMap((guest) => this.#records.get(guest)?.[name] ?? []);
    const known = new Map<string, TunnelInterface>();
    for (const spec of requiredTunnels(records)) {
      known.set(tunnelKey(spec), await tunnels.ensure(spec));
    }
    const tunnelOf = (spec: TunnelSpec) => known.get(tunnelKey(spec)) as TunnelInterface;
    const state = desiredNetwork({ ...facts[name], tracksFlows: true }, records, tunnelOf);
    await plane.apply(onVeths(facts[name], records, state));
    const needed = new Set([...known.values()].map(({ interfaceName }) => interfaceName));
    for (const tunnel of await tunnels.list()) {
      if (!needed.has(tunnel)) await tunnels.removeByName(tunnel);
    }
  }

  async #replug(guest: GuestName, place: HostName): Promise<void> {
    const from = this.hosts[this.#places.get(guest) ?? "a"];
    this.#places.set(guest, place);
    const { bridge } = attachmentOf(facts[place], recordFor(guest));
    await from.ip(`link set dev ${portOf(guest)} netns ${this.hosts[place].name}`);
    await this.hosts[place].ip(`link set dev ${portOf(guest)} master ${bridge} up`);
  }

  async #remember(guest: GuestName, memory: "of nobody" | "of all"): Promise<void> {
    const namespace = this.guests[guest];
    await namespace.ip("neigh flush dev eth0 nud all");
    if (memory === "of nobody") return;
    for (const other of names) {
      const entry = `${addressOf(other)} lladdr ${macOf(other)} dev eth0`;
      if (other !== guest) await namespace.ip(`neigh replace ${entry} nud permanent`);
    }
  }
}

interface Kernel {
  plane: RemotePlane;
  tunnels: Tunnels;
  flows: FlowTable;
}

interface Private {
  kernels: Record<HostName, Kernel>;
  talkers: Record<GuestName, Talker>;
  stack: AsyncDisposableStack;
}

const pairs = names.flatMap((from) =>
  names.flatMap((to): [GuestName, GuestName][] => (from === to ? [] : [[from, to]])),
);

export function addressOf(guest: GuestName): string {
  return `10.1.0.${lastOctets[guest]}`;
}

function macOf(guest: GuestName): string {
  return recordFor(guest).definition.nics[0]?.mac ?? "";
}

function portOf(guest: GuestName): string {
  return `port-${guest}`;
}

function recordFor(guest: GuestName): GuestRecord {
  const record = recordOf(guest, lastOctets[guest]);
  return { ...record, home: { ...record.home, gatewayMac } };
}

function recordsOf(guest: GuestName, other: Exclude<HostName, "a">, to: Journey) {
  const record = recordFor(guest);
  const kind = kinds[other];
  const [home, there] = [facts.a.underlayAddress, facts[other].underlayAddress];
  const outward = { kind, localAddress: home, remoteAddress: there };
  const back = { kind, localAddress: there, remoteAddress: home };
  const redirect = { host: facts[other].name, tunnel: outward };
  const leaving = (switched: boolean) => ({
    ...{ ...record, hosting: runningAtHome },
    outgoing: { tunnel: outward, switched },
  });
  const hosted = (stage: "incoming" | "landed" | "running") => ({
    ...record,
    hosting: {
      ...{ stage, tableIndex: lastOctets[guest], homeTunnel: back },
      sourceTunnel: stage === "running" ? null : back,
    },
  });
  const goingHome = (switched: boolean, retired: boolean) => ({
    ...hosted("running"),
    outgoing: { tunnel: back, switched, ...(retired ? { retired } : {}) },
  });
  const arriving = (stage: "incoming" | "landed") => ({
    ...record,
    hosting: { ...runningAtHome, stage, sourceTunnel: outward },
    redirect: stage === "landed" ? null : redirect,
  });
  const known: Record<Journey, { home: GuestRecord; there: GuestRecord }> = {
    leaving: { home: leaving(false), there: hosted("incoming") },
    landed: { home: leaving(true), there: hosted("landed") },
    away: { home: { ...record, redirect }, there: hosted("running") },
    returning: { home: arriving("incoming"), there: goingHome(false, false) },
    returned: { home: arriving("landed"), there: goingHome(true, false) },
    "handed-over": { home: arriving("landed"), there: goingHome(true, true) },
  };
  return { a: known[to].home, [other]: known[to].there };
}

/** The guests here are namespaces behind veths: a tap would have nobody at its other end. */
function onVeths(host: HostFacts, records: readonly GuestRecord[], state: DesiredState) {
  let text = JSON.stringify({ ...state, taps: [], fdb: [] });
  for (const record of records) {
    text = text.replaceAll(attachmentOf(host, record).tap, portOf(record.guest as GuestName));
  }
  return JSON.parse(text) as DesiredState;
}

/** Behind the router, with a bridge for its own guests and a firewall that takes nothing that it cannot follow. */
async function addHost(
  router: Namespace,
  host: Namespace,
  { underlayAddress, name, guestNetworks }: HostFacts,
) {
  const routersEnd = underlayAddress.replace(/2$/, "1");
  await connect(
    { namespace: router, device: name, address: `${routersEnd}/24` },
    { namespace: host, device: "eth0", address: `${underlayAddress}/24` },
  );
  await host.ip(`route add default via ${routersEnd}`);
  const [network] = guestNetworks;
  if (network === undefined) throw new Error("no guests' network");
  const mac = gatewayMac.replace("01:01", `0${underlayAddress.split(".")[2]}:01`);
  await host.ip(`link add name guests0 address ${mac} type bridge forward_delay 0`);
  await host.ip(`address add ${network.gateway}/24 dev guests0`);
  await host.ip("link set dev guests0 up");
  await host.run("nft", [firewall]);
  // As a daemon's start does it.
  await host.run("tc", ["qdisc", "add", "dev", "eth0", "clsact"]);
}

const firewall = `table ip t {
  chain forward { type filter hook forward priority 0; ct state invalid counter drop; }
}`;

async function plug(host: Namespace, guest: Namespace, name: GuestName): Promise<void> {
  await connect(
    { namespace: host, device: portOf(name) },
    { namespace: guest, device: "eth0", address: `${addressOf(name)}/24`, mac: macOf(name) },
  );
  await host.ip(`link set dev ${portOf(name)} master guests0`);
  await guest.ip("route add default via 10.1.0.1");
}

async function openKernel(host: Namespace, runtimeFolder: string, stack: AsyncDisposableStack) {
  return {
    plane: stack.use(await openPlaneIn(host)),
    flows: stack.use(openFlowTableIn(host)),
    tunnels: createTunnels({ run: runIn(host.name), runtimeFolder, ipipDatapath: "bpf" }),
  };
}
