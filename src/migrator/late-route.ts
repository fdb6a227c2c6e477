import { delay, monotonicMs } from "../platform/clock.ts";
import { runCommand } from "../platform/command.ts";
import { attachmentOf } from "./network.ts";
import { redirectCommand } from "./redirect-command.ts";
import {
  type MigrationFacts,
  type MigrationTask,
  releaseNetwork,
  type SourceContext,
} from "./source-context.ts";
import { changeRoute, noteRouteChange } from "./source-switchover.ts";
import { conductOf } from "./strategy.ts";

/**
 * The route change of a strategy that makes it after the takeover; nothing for the others, and nothing where it was
 * made already. One that fails is left to the end of the migration, which makes the network as the records say.
 */
export async function changeRouteLate(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<void> {
  if (conductOf(task.strategy).routeChange === "pre-switchover") return;
  try {
    await itsMoment(task, facts);
    facts.networkHold ??= await context.network.hold();
    if (context.records.get(task.guest)?.outgoing?.switched !== false) return;
    if (conductOf(task.strategy).routeChange === "on-return") await runHook(context, facts);
    else await changeRoute(context, facts);
  } catch (error) {
    context.logger.warn({ migration: task.id, err: error }, "the late route change failed");
  }
}

async function itsMoment(task: MigrationTask, facts: MigrationFacts): Promise<void> {
  switch (conductOf(task.strategy).routeChange) {
    case "on-return":
      await facts.handedOver;
      return;
    case "after-delay": {
      // Others may change their guests' networks meanwhile.
      releaseNetwork(facts);
      const waitedMs = monotonicMs() - (facts.streamStartedMs ?? 0);
      await delay(Math.max(0, (task.strategy.delay_ms ?? 0) - waitedMs));
      return;
    }
    default:
      return;
  }
}

/** A process, as a script would start it once the command that moves the guest is back. */
async function runHook(context: SourceContext, facts: MigrationFacts): Promise<void> {
  if (facts.tunnelInterface === null) throw new Error("no tunnel to switch to");
  const { address } = attachmentOf(context.host, facts.before);
  const [program, ...args] = redirectCommand(address, facts.tunnelInterface);
  await runCommand(program, args);
  noteRouteChange(context, facts);
}
