import { attributeOf, elementAt, type XmlElement } from "../xml/element.ts";

/** A byte channel between guest and host: serial and parallel ports, consoles, virtio channels, USB redirection, … */
export interface CharacterDevice {
  kind: CharacterDeviceKind;
  /** What the host's end is. */
  type: "pty" | "file" | "dev" | "pipe" | "unix" | "tcp" | "udp" | "spicevmc" | (string & {});
  /** A file, pipe, device or socket of the host; null for the types that have none. */
  path: string | null;
  /** For sockets: whether QEMU listens (`bind`) or connects. */
  mode: "bind" | "connect" | (string & {}) | null;
  /** `ADDRESS:PORT` of TCP and UDP. */
  address: string | null;
  /** The channel's name in the guest (`org.qemu.guest_agent.0`), or its port; null where neither is said. */
  target: string | null;
}

const kinds = ["serial", "parallel", "console", "channel", "redirdev", "smartcard"] as const;

export type CharacterDeviceKind = (typeof kinds)[number];

export function readCharacterDevices(domain: XmlElement): CharacterDevice[] {
  const found = elementAt(domain, "devices")?.children ?? [];
  return found.flatMap((device) => {
    const kind = kinds.find((name) => name === device.name && device.namespace === "");
    return kind === undefined ? [] : [readCharacterDevice(device, kind)];
  });
}

function readCharacterDevice(device: XmlElement, kind: CharacterDeviceKind): CharacterDevice {
  const source = elementAt(device, "source");
  const target = elementAt(device, "target");
  const host = attributeOf(source, "host");
  const service = attributeOf(source, "service");
  return {
    kind,
    // A smartcard's mode says whether it has a channel at all.
    type: attributeOf(device, "type") ?? attributeOf(device, "mode") ?? "",
    path: attributeOf(source, "path"),
    mode: attributeOf(source, "mode"),
    address: service === null ? null : `${host ?? ""}:${service}`,
    target: attributeOf(target, "name") ?? attributeOf(target, "port"),
  };
}
