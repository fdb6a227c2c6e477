import { frameBytes } from "./announce/frames.ts";
import { sendFrames } from "./announce/send.ts";
import { portMac } from "./diff-links.ts";
import { checkMac } from "./normalise.ts";

/** Local Experimental EtherType 1 (IEEE 802, clause 9.2.4): no protocol, so that a guest that is given the frame ignores it. */
const localExperimental = 0x88b5;
const offset = { to: 0, from: 6, type: 12 } as const;

/**
 * Puts a frame that nobody needs into the tap of a guest that does not run yet, addressed to its MAC address. QEMU takes one
 * packet out of such a tap, and loses it when it loads the guest's devices (observed with 10.0.2: always the first, and no
 * other): it is to be this one. Starts a process: not while the guest stands.
 * @throws SojournError `SOJ_TOOL_MISSING`, `SOJ_ROUTING_BAD_STATE`; CommandError.
 */
export async function primeTap(tap: string, mac: string): Promise<void> {
  await sendFrames(tap, [idleFrame(mac, portMac(tap))]);
}

function idleFrame(to: string, from: string): Buffer {
  checkMac(to);
  const frame = Buffer.alloc(frameBytes);
  frame.set(Buffer.from(to.replaceAll(":", ""), "hex"), offset.to);
  frame.set(Buffer.from(from.replaceAll(":", ""), "hex"), offset.from);
  frame.writeUInt16BE(localExperimental, offset.type);
  return frame;
}
