import type { DomainNic } from "../facts/nic.ts";
import { tapTypes } from "../nic-on-tap.ts";
import type { DomainFacts } from "../read-domain.ts";
import { type Obstacle, obstacle } from "./obstacle.ts";

/** What keeps a domain's traffic from being led. */
export function nicObstacles({ nics }: DomainFacts): Obstacle[] {
  const count = String(nics.length);
  const reason =
    nics.length === 0 ? "has no NIC whose traffic could be led" : `has ${count} NICs; one is led`;
  return [
    ...(nics.length === 1
      ? []
      : [obstacle(["refused", "nic-count"], "the domain", reason, { count })]),
    ...nics.flatMap(obstaclesOf),
  ];
}

function obstaclesOf(nic: DomainNic): Obstacle[] {
  const subject = `NIC ${nic.mac}`;
  if (!tapTypes.has(nic.type)) {
    const reason = reasons[nic.type] ?? "its end at the host is no tap";
    return [obstacle(["refused", "nic-type"], subject, reason, typeFacts(nic))];
  }
  const found: Obstacle[] = [];
  if (nic.type === "network" && nic.bridge === null) {
    const reason =
      "is on a network of libvirt's; only the domain as it runs tells whether that gave it a tap";
    found.push(obstacle(["depends", "nic-connection"], subject, reason, typeFacts(nic)));
  }
  if (nic.filter !== null) {
    const reason = "has a network filter, which the destination's libvirt must have too";
    found.push(obstacle(["depends", "network-filter"], subject, reason, { filter: nic.filter }));
  }
  if (nic.hasBandwidthFloor) {
    const reason = "is promised a bandwidth within its network, which only that network can give";
    found.push(obstacle(["refused", "bandwidth-floor"], subject, reason, typeFacts(nic)));
  }
  if (nic.teaming !== null) {
    const reason = "is one half of a pair with a device of the host";
    found.push(obstacle(["refused", "host-device"], subject, reason, { teaming: nic.teaming }));
  }
  const dropped = droppedWith(nic);
  if (dropped.length > 0) {
    const reason = `is on a tap of Sojourn's at the destination, without its ${dropped.join(", ")}`;
    found.push(obstacle(["noted", "nic-connection"], subject, reason, typeFacts(nic)));
  }
  return found;
}

function droppedWith(nic: DomainNic): string[] {
  return [
    ...(nic.virtualPort === null ? [] : [`${nic.virtualPort} port`]),
    ...(nic.hasVlan ? ["VLAN"] : []),
    ...(nic.isIsolated ? ["port isolation"] : []),
    ...(nic.script === null ? [] : ["script"]),
  ];
}

const reasons: Record<string, string> = {
  user: "is a network within QEMU (or passt), which nobody outside can lead",
  direct: "is a macvtap of a device of the host: its packets do not come past the host's routing",
  hostdev: "is a device of the host",
  vhostuser: "belongs to another program (vhost-user), whose state does not migrate",
  vdpa: "is a vDPA device of the host",
};

function typeFacts({ type, bridge, network, hostDevice }: DomainNic) {
  return { type, bridge, network, host_device: hostDevice };
}
