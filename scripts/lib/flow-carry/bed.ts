import { fileURLToPath } from "node:url";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { runCommand } from "../../../src/platform/command.ts";
import type { MovingLab } from "../lab-moves.ts";

const replay = fileURLToPath(new URL("replay.ts", import.meta.url));

/** Has a host track `count` sessions with the guest that nobody holds, and none that it was made to track before. */
export async function replayFlows(
  { name: lab, signal }: MovingLab,
  host: string,
  guest: string,
  count: number,
): Promise<void> {
  const [program, ...prefix] = labNodePrefix(lab, host) as [string, ...string[]];
  const args = [...prefix, process.execPath, replay, guest, `${count}`];
  await runCommand(program, args, { timeoutMs: 60_000, signal });
}
