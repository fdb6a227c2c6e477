import { readFile } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CommandError, runCommand } from "../../platform/command.ts";
import { preconditionError } from "../../platform/errors.ts";
import { checkIPv4 } from "../../platform/names.ts";
import { parseFlow, type TrackedFlow } from "./parse.ts";

export interface FlowReaderOptions {
  run?: typeof runCommand;
  /** How many connections the kernel tracks in this network namespace; null where it cannot track any. */
  trackedCount?: () => Promise<number | null>;
}

/** Some 40 000 flows. */
const maxOutputBytes = 8 * 1024 * 1024;
/** Lines that are read in one turn of the event loop: a millisecond or two. */
const linesPerTurn = 500;

/**
 * The flows of `address` that this host's kernel tracks: those it began and those that it answers, also behind
 * network address translation. Reads only.
 * @throws SojournError `SOJ_FLOWS_UNTRACKED` when this kernel tracks no connection at all, which is another thing than
 *   a guest without any; `SOJ_FLOWS_TOO_MANY`; `SOJ_TOOL_MISSING`.
 */
export async function readFlows(
  address: string,
  options: FlowReaderOptions = {},
): Promise<TrackedFlow[]> {
  checkIPv4("guest", address);
  const { run = runCommand, trackedCount = readTrackedCount } = options;
  const tracked = await trackedCount();
  if (tracked === null) throw untracked("its kernel has no connection tracking (nf_conntrack)");
  if (tracked === 0) throw untracked("no rule of its firewall asks for it, or nothing passes");
  const flows = new Map<string, TrackedFlow>();
  for (const filter of ["--orig-src", "--reply-src"]) {
    const { stdout } = await list(run, filter, address);
    for (const flow of await parseFlows(stdout)) flows.set(flow.id, flow);
  }
  return [...flows.values()];
}

/** The entries that `conntrack -L -o id` prints; what is none is passed over. */
export async function parseFlows(output: string): Promise<TrackedFlow[]> {
  const flows: TrackedFlow[] = [];
  let lines = 0;
  for (let start = 0; start < output.length; ) {
    const newline = output.indexOf("\n", start);
    const end = newline === -1 ? output.length : newline;
    const flow = parseFlow(output.slice(start, end));
    if (flow !== null) flows.push(flow);
    start = end + 1;
    lines += 1;
    if (lines % linesPerTurn === 0) await nextTurn();
  }
  return flows;
}

async function list(run: typeof runCommand, filter: string, address: string) {
  const args = ["-L", "-f", "ipv4", "-o", "id", filter, address];
  try {
    return await run("conntrack", args, { maxOutputBytes, timeoutMs: 10_000 });
  } catch (error) {
    if (!(error instanceof CommandError) || !error.message.includes("too much output")) throw error;
    throw preconditionError("SOJ_FLOWS_TOO_MANY", `${address} has more flows than can be listed`, {
      cause: error,
      hint: `count them: conntrack -L ${filter} ${address} | wc -l`,
    });
  }
}

/** Per network namespace (Documentation/networking/nf_conntrack-sysctl.rst); there once the kernel can track. */
async function readTrackedCount(): Promise<number | null> {
  try {
    return Number(await readFile("/proc/sys/net/netfilter/nf_conntrack_count", "latin1"));
  } catch {
    return null;
  }
}

/** Lets through what it sees: the kernel tracks connections in a network namespace while some rule there asks for it. */
const trackingTable =
  "table ip tracking { chain forward { type filter hook forward priority 0; ct state established counter; } }";

function untracked(why: string) {
  return preconditionError("SOJ_FLOWS_UNTRACKED", `this host tracks no connections: ${why}`, {
    hint: `a rule that looks at their state switches tracking on, for connections from then on: nft '${trackingTable}'`,
  });
}
