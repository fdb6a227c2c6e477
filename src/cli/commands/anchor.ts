import { Command } from "commander";
import type { Handover, SojournClient } from "../../client/index.ts";
import { delay } from "../../platform/clock.ts";
import { ExitCode, SojournError } from "../../platform/errors.ts";
import { createOutput, type Output } from "../output.ts";

interface HandoverFlags {
  to: string;
  dryRun?: boolean;
  json?: boolean;
}

/** Between two looks at a handover that goes on. */
const lookMs = 250;

/** A host that does not answer may take as long as it takes; the handover goes on without this command. */
const patienceMs = 120_000;

export function anchorCommand(): Command {
  const anchor = new Command("anchor").description("a host that is home of guests, and runs none");
  anchor
    .command("handover")
    .description("hand all guests' addresses of this anchor over to another one on the same LAN")
    .requiredOption("--to <host>", "the other anchor")
    .option("--dry-run", "only look whether it can be done, and of which guests")
    .option("--json", "print JSON, errors too")
    .action(handOver);
  anchor
    .command("show")
    .description("the last handover of this anchor")
    .option("--json", "print JSON, errors too")
    .action(async ({ json = false }: { json?: boolean }) => {
      const handover = await (await connect()).showHandover();
      createOutput(json).result(handover, () => describe(handover));
    });
  return anchor;
}

async function handOver({ to, dryRun = false, json = false }: HandoverFlags): Promise<void> {
  const client = await connect();
  const output = createOutput(json);
  const begun = await client.handOver({ to, dry_run: dryRun });
  const ended = dryRun ? begun : await follow(client, output, begun);
  output.result(ended, () => describe(ended));
  if (ended.state === "undone") process.exitCode = ExitCode.rolledBack;
}

async function follow(client: SojournClient, output: Output, begun: Handover): Promise<Handover> {
  let told: string | null = null;
  for (let waitedMs = 0; waitedMs < patienceMs; waitedMs += lookMs) {
    const now = await client.showHandover();
    if (now.state === "done" || now.state === "undone") return now;
    if (now.state !== told) {
      output.line(`handover ${now.id}: ${now.state}`);
      output.record({ type: "progress", id: now.id, state: now.state });
    }
    told = now.state;
    await delay(lookMs);
  }
  throw new SojournError(
    "SOJ_HANDOVER_UNFINISHED",
    `handover ${begun.id} is not over: somebody has to answer first`,
    {
      exitCode: ExitCode.inDoubt,
      hint: "guests are reached meanwhile, and it goes on by itself; sojourn anchor show tells how",
    },
  );
}

function describe({ from, to, state, guests, error }: Handover): string {
  const list = guests.map(({ guest, address, host }) => `  ${guest} (${address}), at ${host}`);
  const count = `${guests.length} ${guests.length === 1 ? "guest's address" : "guests' addresses"}`;
  const sentences: Partial<Record<Handover["state"], string>> = {
    planned: `${from} can hand ${count} over to ${to}:`,
    done: `${to} has ${count} of ${from}'s:`,
    undone: `${from} has kept ${count}:`,
  };
  const head = sentences[state] ?? `${from} hands ${count} over to ${to} (${state}):`;
  const reason = error === null ? [] : [`because: ${error.message} [${error.code}]`];
  const standby = `${from} stands by until ${to} hands them back: new guests are started behind ${to}`;
  return [head, ...list, ...(state === "done" ? [standby] : reason)].join("\n");
}

async function connect(): Promise<SojournClient> {
  return (await import("../../client/index.ts")).createClient();
}
