import { spawn } from "node:child_process";
import { once } from "node:events";
import { ExitCode, preconditionError, SojournError } from "../platform/errors.ts";
import { downLab } from "./down.ts";
import { readRecord } from "./files.ts";
import { findGuest, guestName } from "./guests.ts";
import { hostNames, labPaths } from "./layout.ts";
import { type LabRecord, labNodePrefix, readLab } from "./nodes.ts";
import { type UpOptions, upLab } from "./up.ts";

export interface DemoOptions extends UpOptions {
  /** Leave the lab up at the end. */
  keep: boolean;
  json: boolean;
  /** Passed on to `sojourn migrate --tunnel`. */
  tunnel?: string | undefined;
  /** For the reader; never called with `json`. */
  explain: (text: string) => void;
}

/**
 * The main job from nothing to the report: builds the lab, moves `web1` to another host with two sessions
 * from the client open, and removes the lab again. A lab that was up before is used and left up.
 * Returns the exit code of `sojourn migrate`, whose output goes straight to ours.
 * @throws SojournError as `upLab`, or `SOJ_LAB_INTERRUPTED` (exit code 6) after SIGINT, SIGTERM or SIGHUP.
 */
export async function demoLab(options: DemoOptions): Promise<number> {
  const wasUp = readRecord<LabRecord>(labPaths(options.lab).record) !== null;
  using interruption = catchInterruption();
  let finished = false;
  try {
    const hosts = options.hosts ?? (wasUp ? undefined : 2);
    const up = await upLab({ ...options, hosts, signal: interruption.signal });
    const { from, to } = await chooseMove(options.lab);
    if (!options.json) options.explain(introduction(up.nodes.length - 2, from, to));
    const exitCode = await migrate(options, from, to, interruption.signal);
    finished = true;
    return exitCode;
  } catch (error) {
    throw interruption.signal.aborted ? interrupted() : error;
  } finally {
    if (wasUp || (finished && options.keep)) {
      if (!options.json) options.explain(howToGoOn(options.lab));
    } else {
      if (!options.json) options.explain("Removing the lab.");
      await downLab(options.lab);
    }
  }
}

async function chooseMove(lab: string): Promise<{ from: string; to: string }> {
  const hosts = hostNames(readLab(lab).hosts);
  for (const from of hosts) {
    const guest = await findGuest(lab, from, guestName(1));
    if (guest?.state !== "running") continue;
    const to = hosts.find((host) => host !== from);
    if (to !== undefined) return { from, to };
  }
  throw preconditionError(
    "SOJ_LAB_NO_MOVE",
    `${guestName(1)} runs on no host with another beside it`,
    {
      hint: "sojourn lab down, then sojourn lab demo",
    },
  );
}

async function migrate(
  { lab, tunnel, json }: DemoOptions,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const args = ["sojourn", "migrate", guestName(1), "--to", to];
  if (tunnel !== undefined) args.push("--tunnel", tunnel);
  if (json) args.push("--json");
  const [program, ...prefix] = labNodePrefix(lab, from) as [string, ...string[]];
  const child = spawn(program, [...prefix, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  // A terminal's Ctrl-C reaches the child by itself, a signal to us alone does not.
  const forward = () => child.kill("SIGTERM");
  signal.addEventListener("abort", forward, { once: true });
  const [code] = (await once(child, "close")) as [number | null];
  signal.throwIfAborted();
  return code ?? ExitCode.internal;
}

/** The first signal asks for an orderly end; later ones change nothing, cleaning up goes on. */
function catchInterruption(): Disposable & { signal: AbortSignal } {
  const controller = new AbortController();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const onSignal = () => controller.abort(interrupted());
  for (const name of signals) process.on(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of signals) process.off(name, onSignal);
    },
  };
}

function interrupted(): SojournError {
  return new SojournError("SOJ_LAB_INTERRUPTED", "the demo was interrupted before its end", {
    exitCode: ExitCode.cancelled,
  });
}

function introduction(hosts: number, from: string, to: string): string {
  return `
  client ── router ─┬─ host-a   guest subnet 10.1.0.0/24   web1 is 10.1.0.10
  192.0.2.2         ${hosts > 2 ? "├─ host-b   guest subnet 10.2.0.0/24\n                    └─ …" : "└─ host-b   guest subnet 10.2.0.0/24"}

The client holds two TCP sessions with web1: an echo with a request every few milliseconds, and a
download at full speed. Now web1, a running virtual machine, moves from ${from} to ${to}, which is in another
subnet, and keeps its address:

  sojourn migrate web1 --to ${to}
`;
}

function howToGoOn(lab: string): string {
  const option = lab === "sojourn" ? "" : ` --lab ${lab}`;
  return `
The lab is up. To go on:
  ./bin/sojourn lab exec${option} host-a -- sojourn status
  ./bin/sojourn lab exec${option} client -- busybox wget -qO- http://10.1.0.10/
  ./bin/sojourn lab exec${option} host-b -- sojourn migrate web1 --to host-a     (home again)
  ./bin/sojourn lab down${option}`;
}
