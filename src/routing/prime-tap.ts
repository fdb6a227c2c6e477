import { idleFrame } from "./announce/frames.ts";
import { sendFrames } from "./announce/send.ts";
import { portMac } from "./diff-links.ts";

/**
 * Puts a frame that nobody needs into the tap of a guest that does not run yet, addressed to its MAC address. QEMU takes one
 * packet out of such a tap, and loses it when it loads the guest's devices (observed with 10.0.2: always the first, and no
 * other): it is to be this one. Starts a process: not while the guest stands.
 * @throws SojournError `SOJ_TOOL_MISSING`, `SOJ_ROUTING_BAD_STATE`; CommandError.
 */
export async function primeTap(tap: string, mac: string): Promise<void> {
  await sendFrames(tap, [idleFrame({ to: mac, source: portMac(tap) })]);
}
