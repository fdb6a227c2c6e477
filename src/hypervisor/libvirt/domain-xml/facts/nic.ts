import { attributeOf, childrenOf, elementAt, type XmlElement } from "../xml/element.ts";

/** A network interface (https://libvirt.org/formatdomain.html#network-interfaces). */
export interface DomainNic {
  type:
    | "ethernet"
    | "bridge"
    | "network"
    | "user"
    | "direct"
    | "hostdev"
    | "vhostuser"
    | "vdpa"
    | (string & {});
  /** Lower case. */
  mac: string;
  /** The guest's device: `virtio`, `e1000`, …; null for the default. */
  model: string | null;
  /** The host's end: for `ethernet`, `bridge` and `network`, a tap. Null where it has no name yet. */
  device: string | null;
  /** False when the tap is made by somebody else than libvirt. */
  isManaged: boolean;
  bridge: string | null;
  /** A network of libvirt's. */
  network: string | null;
  /** The device of the host that a `direct` NIC shares. */
  hostDevice: string | null;
  /** `openvswitch`, `802.1Qbg`, …; null for a plain port. */
  virtualPort: string | null;
  hasVlan: boolean;
  isIsolated: boolean;
  /** A network filter of libvirt's. */
  filter: string | null;
  /** Whether it is promised a bandwidth within its network. */
  hasBandwidthFloor: boolean;
  /** `persistent` or `transient`: one half of a pair with a device of the host. */
  teaming: string | null;
  /** Run by libvirt when it makes the tap. */
  script: string | null;
}

export function readNics(domain: XmlElement): DomainNic[] {
  return childrenOf(elementAt(domain, "devices"), "interface").map(readNic);
}

/** Lower case; empty without, which libvirt never leaves so. */
export function macOf(nic: XmlElement): string {
  return (attributeOf(elementAt(nic, "mac"), "address") ?? "").toLowerCase();
}

function readNic(nic: XmlElement): DomainNic {
  const source = elementAt(nic, "source");
  const target = elementAt(nic, "target");
  return {
    type: attributeOf(nic, "type") ?? "",
    mac: macOf(nic),
    model: attributeOf(elementAt(nic, "model"), "type"),
    device: attributeOf(target, "dev"),
    isManaged: attributeOf(target, "managed") !== "no",
    bridge: attributeOf(source, "bridge"),
    network: attributeOf(source, "network"),
    hostDevice: attributeOf(source, "dev"),
    virtualPort: attributeOf(elementAt(nic, "virtualport"), "type"),
    hasVlan: elementAt(nic, "vlan") !== undefined,
    isIsolated: attributeOf(elementAt(nic, "port"), "isolated") === "yes",
    filter: attributeOf(elementAt(nic, "filterref"), "filter"),
    hasBandwidthFloor: attributeOf(elementAt(nic, "bandwidth", "inbound"), "floor") !== null,
    teaming: attributeOf(elementAt(nic, "teaming"), "type"),
    script: attributeOf(elementAt(nic, "script"), "path"),
  };
}
