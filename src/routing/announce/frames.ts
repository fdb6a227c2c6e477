import { checkAddress, checkMac } from "../normalise.ts";

/** Bytes of a frame as short as Ethernet has them, without the checksum (IEEE 802.3, clause 3.2.8). */
export const frameBytes = 60;

const everybody = "ff:ff:ff:ff:ff:ff";
/** The last is Local Experimental EtherType 1 (IEEE 802, clause 9.2.4), which is no protocol. */
const etherType = { arp: 0x0806, rarp: 0x8035, localExperimental: 0x88b5 } as const;
const operation = { request: 1, reply: 2, reverseRequest: 3 } as const;

/**
 * "Who sends to `address` sends to `mac`", to everybody (RFC 5227, section 2.3). The frame comes from `source`, which
 * switches look for at this port from then on.
 * @throws SojournError `SOJ_ROUTING_BAD_STATE`.
 */
export function announcementFrame(options: { address: string; mac: string; source: string }) {
  const { address, mac, source } = options;
  const sender = { mac, address };
  return frame(everybody, source, etherType.arp, operation.request, sender, {
    ...{ mac: "00:00:00:00:00:00", address },
  });
}

/**
 * The same to one machine alone, which may not know better: "`address` is at `mac`" (RFC 826, a reply).
 * @throws SojournError `SOJ_ROUTING_BAD_STATE`.
 */
export function correctionFrame(options: {
  address: string;
  mac: string;
  source: string;
  to: { address: string; mac: string };
}): Buffer {
  const { address, mac, source, to } = options;
  return frame(to.mac, source, etherType.arp, operation.reply, { mac, address }, to);
}

/**
 * Switches look for `mac` at this port; nobody's ARP entries change (RFC 903, as hypervisors do for a guest that has moved).
 * @throws SojournError `SOJ_ROUTING_BAD_STATE`.
 */
export function portFrame(mac: string): Buffer {
  const nobody = { mac, address: "0.0.0.0" };
  return frame(everybody, mac, etherType.rarp, operation.reverseRequest, nobody, nobody);
}

/** For one machine alone, which ignores it. @throws SojournError `SOJ_ROUTING_BAD_STATE`. */
export function idleFrame({ to, source }: { to: string; source: string }): Buffer {
  checkMac(to);
  return emptyFrame(to, source, etherType.localExperimental);
}

interface Party {
  mac: string;
  address: string;
}

function frame(
  to: string,
  source: string,
  type: number,
  what: number,
  sender: Party,
  target: Party,
): Buffer {
  const bytes = emptyFrame(to, source, type);
  checkMac(sender.mac);
  // Ethernet and IPv4, with the lengths of their addresses.
  bytes.set([0, 1, 8, 0, 6, 4], 14);
  bytes.writeUInt16BE(what, 20);
  bytes.set([...macBytes(sender.mac), ...addressBytes(sender.address)], 22);
  bytes.set([...macBytes(target.mac), ...addressBytes(target.address)], 32);
  return bytes;
}

/** With its header alone (IEEE 802.3, clause 3.1.1). */
function emptyFrame(to: string, source: string, type: number): Buffer {
  checkMac(source);
  const bytes = Buffer.alloc(frameBytes);
  bytes.set(macBytes(to), 0);
  bytes.set(macBytes(source), 6);
  bytes.writeUInt16BE(type, 12);
  return bytes;
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}

function addressBytes(address: string): number[] {
  return checkAddress(address).split(".").map(Number);
}
