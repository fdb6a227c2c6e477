import { extname, join } from "node:path";
import { labNodePrefix } from "../../lab/nodes.ts";
import { runCommand } from "../../platform/command.ts";
import { SojournError } from "../../platform/errors.ts";
import type { ControlGuest } from "./guest.ts";

const script = join(
  import.meta.dirname,
  ...["..", "..", "lab", `echo-check${extname(import.meta.filename)}`],
);

/**
 * Waits until the guest's echo service answers the client.
 * @throws SojournError `SOJ_BENCH_GUEST_SILENT`
 */
export async function waitForEcho(
  { lab, address }: ControlGuest,
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const [program, ...prefix] = labNodePrefix(lab, "client") as [string, ...string[]];
  const { exitCode } = await runCommand(
    program,
    [...prefix, process.execPath, script, address, "7", String(withinMs)],
    { timeoutMs: withinMs + 15_000, acceptExitCodes: [1], signal },
  ).catch((error) => {
    signal.throwIfAborted();
    throw error;
  });
  if (exitCode === 0) return;
  throw new SojournError(
    "SOJ_BENCH_GUEST_SILENT",
    `the controls' guest runs, but ${address}:7 did not answer the client within ${withinMs} ms`,
  );
}
