import { contains } from "../../../migrator/subnet.ts";
import { neighbourMac } from "../../../routing/ask-neighbour.ts";
import { RouteNetlink } from "../../../routing/netlink/socket.ts";
import type { GuestNetwork } from "../../config.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic } from "../check.ts";
import type { Interface } from "./interfaces.ts";

/** A guest network whose gateway is another machine. */
export type LanNetwork = GuestNetwork & { port: string };

/** What is wrong with the bridge (`link`) that joins guests to a LAN: its port, and this host's own address there. */
export function lanFaults(
  topic: Topic,
  network: LanNetwork,
  link: Interface,
  interfaces: readonly Interface[],
): DoctorCheck[] {
  const { bridge, subnet, gateway, port } = network;
  const faults: DoctorCheck[] = [];
  const towards = interfaces.find(({ name }) => name === port);
  if (towards === undefined) {
    const hint = "name the bridge's port towards the LAN under [[guest_networks]]";
    faults.push(fail(topic, `its port ${port} does not exist`, { hint }));
  } else if (towards.master !== bridge) {
    const mend = `ip link set dev ${port} master ${bridge}`;
    faults.push(fail(topic, `${port} is none of its ports`, { mend }));
  } else if (!towards.isUp) {
    faults.push(fail(topic, `its port ${port} is down`, { mend: `ip link set dev ${port} up` }));
  }
  if (link.addresses.some(({ address }) => address === gateway)) {
    const hint = `take that address away, or leave out \`port\` where this host is the gateway of ${subnet}`;
    faults.push(
      fail(topic, `${gateway} is this host's own address and not another machine's`, { hint }),
    );
  } else if (!link.addresses.some((one) => contains(subnet, one.address))) {
    const hint = `ip address add ADDRESS/${subnet.split("/")[1]} dev ${bridge}, with a free address of ${subnet}`;
    faults.push(fail(topic, `this host has no address of ${subnet} on it`, { hint }));
  }
  return faults;
}

/** Whether the gateway of a LAN answers this host's ARP: its MAC address is what guests know it by, wherever they are. */
export async function checkLanGateway(
  { bridge, gateway }: LanNetwork,
  interfaces: readonly Interface[],
): Promise<DoctorCheck> {
  const topic: Topic = {
    ...{ id: "gateway-answers", subject: gateway },
    why: "Where a guest goes, another machine stands in for its gateway, and has to know the gateway's MAC address.",
  };
  const link = interfaces.find(({ name }) => name === bridge);
  if (link === undefined || !link.isUp) return skipped(topic, `${bridge} is not up`);
  using netlink = new RouteNetlink();
  const mac = await neighbourMac(netlink, bridge, gateway);
  if (mac !== null) return ok(topic, `at ${mac}`);
  return fail(topic, `nobody on ${bridge} answers for it`, {
    hint: `is the gateway up, and the bridge's port joined to its LAN? arping -c 1 -I ${bridge} ${gateway}`,
  });
}
