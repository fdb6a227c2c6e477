import { runCommand } from "../../platform/command.ts";
import { checkDevice } from "../normalise.ts";
import { frameBytes } from "./frames.ts";

/** So many bytes a pipe takes whole (PIPE_BUF): frames are told apart by their length alone. */
const mostAtOnce = Math.floor(4096 / frameBytes);

/**
 * Sends frames of `frameBytes` out of a device as they are (packet(7), by socat). On a bridge they take the way of what
 * this host sends itself: its own ports learn nothing of them. Not while a guest stands: starts a process.
 * @throws SojournError `SOJ_TOOL_MISSING`, `SOJ_ROUTING_BAD_STATE`; CommandError.
 */
export async function sendFrames(device: string, frames: readonly Buffer[]): Promise<void> {
  const target = `INTERFACE:${checkDevice(device)}`;
  for (let first = 0; first < frames.length; first += mostAtOnce) {
    const input = Buffer.concat(frames.slice(first, first + mostAtOnce));
    await runCommand("socat", ["-u", `-b${frameBytes}`, "-", target], { input, timeoutMs: 5_000 });
  }
}
