import { attachmentOf, type HostFacts } from "../../src/migrator/network.ts";
import type { GuestRecord } from "../../src/migrator/records.ts";
import { aToB, bToA, hostA, hostB, runningAtHome } from "../unit/migrator/support.ts";
import { connect, createNamespace, type Namespace } from "./namespaces.ts";
import { onVeth, recordInBed } from "./renumbered-bed.ts";
import { createTwoHosts, guestMac, guestPort, plugGuest, type TwoHosts } from "./two-hosts.ts";

export const lan = {
  host: "10.1.0.2",
  gateway: "10.1.0.1",
  gatewayMac: "02:00:00:99:00:fe",
  homeMac: "52:54:00:99:00:01",
  peer: "10.1.0.50",
  stubborn: "10.1.0.51",
} as const;

const onLan: HostFacts = {
  ...hostA,
  guestNetworks: hostA.guestNetworks.map((network) => ({ ...network, port: "lan0" })),
};
const web1 = recordInBed(lan.gatewayMac);
const hosting = { stage: "running", tableIndex: 0, homeTunnel: bToA, sourceTunnel: null } as const;
const redirect = { host: "host-b", tunnel: aToB };

/** What home knows, in the order of a move out and back. */
export const atHome = {
  settled: { ...web1, hosting: runningAtHome },
  leaving: { ...web1, hosting: runningAtHome, outgoing: { tunnel: aToB, switched: false } },
  away: { ...web1, redirect },
  landed: { ...web1, hosting: { ...runningAtHome, stage: "landed", sourceTunnel: aToB } },
} satisfies Record<string, GuestRecord>;

/** a is home of a guest on a LAN whose gateway is the router, with two more machines; b is where the guest goes. */
export interface LanBed extends AsyncDisposable {
  hosts: TwoHosts;
  peer: Namespace;
  /** Its ARP entry of the guest never expires. */
  stubborn: Namespace;
  atHome(record: GuestRecord): Promise<void>;
  /** The guest's cable goes to b, or back. */
  toB(): Promise<void>;
  toA(): Promise<void>;
}

/**
 * Nobody makes it easy: the router sends nothing back into the LAN, knows no flow of which it has not seen both directions,
 * and takes nothing of the LAN from elsewhere; a filters reverse paths strictly where nothing else is said, and sends
 * redirects.
 */
export async function openLanBed(): Promise<LanBed> {
  await using stack = new AsyncDisposableStack();
  const hosts = stack.use(await createTwoHosts("direct"));
  const { a, b, router } = hosts;
  await router.ip("route del 10.1.0.0/24");
  await router.ip(`link add name lan address ${lan.gatewayMac} type bridge forward_delay 0`);
  await router.ip(`address add ${lan.gateway}/24 dev lan`);
  await router.ip("link set dev lan up");
  await router.sysctl("net/ipv4/conf/lan/rp_filter", "1");
  // What it only switches is none of its rules' business, whatever the machine thinks of that.
  await router.run("tee", ["/proc/sys/net/bridge/bridge-nf-call-iptables"], {
    input: "0",
    acceptExitCodes: [0, 1],
  });
  await router.run("nft", [
    "add table ip test; add chain ip test pass { type filter hook forward priority 0; }; add rule ip test pass iifname lan oifname lan drop; add rule ip test pass ct state invalid drop; add rule ip test pass iifname a0 ip saddr 10.1.0.0/24 drop",
  ]);
  await connect({ namespace: a, device: "lan0" }, { namespace: router, device: "port-a" });
  await a.ip("link set dev lan0 master guests0");
  await a.ip("address del 10.1.0.1/24 dev guests0");
  await a.ip(`address add ${lan.host}/24 dev guests0`);
  for (const name of ["all", "guests0"]) await a.sysctl(`net/ipv4/conf/${name}/rp_filter`, "1");
  const peer = stack.use(await createNamespace("peer"));
  const stubborn = stack.use(await createNamespace("stubborn"));
  await plugIn(router, peer, "port-p", lan.peer);
  await plugIn(router, stubborn, "port-s", lan.stubborn);
  await router.ip("link set dev port-a master lan");
  await stubborn.ip(`neigh replace 10.1.0.10 lladdr ${guestMac} dev eth0 nud permanent`);
  await plugGuest(hosts, a, "guests0");
  const { bridge } = attachmentOf(hostB, web1);
  const owned = stack.move();
  return {
    ...{ hosts, peer, stubborn },
    atHome: async (record) => void (await hosts.planeA.apply(onVeth(onLan, record))),
    async toB() {
      await hosts.planeB.apply(onVeth(hostB, { ...web1, hosting }));
      await a.ip(`link set dev ${guestPort} netns ${b.name}`);
      await b.ip(`link set dev ${guestPort} master ${bridge} up`);
    },
    async toA() {
      await b.ip(`link set dev ${guestPort} netns ${a.name}`);
      await a.ip(`link set dev ${guestPort} master guests0 up`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function plugIn(
  router: Namespace,
  machine: Namespace,
  port: string,
  address: string,
): Promise<void> {
  await connect(
    { namespace: router, device: port },
    { namespace: machine, device: "eth0", address: `${address}/24` },
  );
  await router.ip(`link set dev ${port} master lan`);
  await machine.ip(`route add default via ${lan.gateway}`);
}
