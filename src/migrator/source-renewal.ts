import { attachmentOf } from "./network.ts";
import {
  type MigrationFacts,
  type MigrationTask,
  releaseNetwork,
  type SourceContext,
} from "./source-context.ts";
import { giveBack } from "./source-ending.ts";
import { pausedByUser } from "./source-switchover.ts";

/** Gives up a stream whose guest QEMU has stopped by itself, and gets an empty destination for the next. */
export async function renewDestination(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  facts.carriedBytes = (await facts.instance.migrationProgress()).transferredBytes || null;
  // Before anything else: the guest stands.
  await giveBack(facts, context.journal.has(task.id, "pausing"));
  if (facts.resume && (await facts.instance.runState()) === "paused") {
    facts.resume = false;
    throw pausedByUser(task.guest);
  }
  await context.network.routing.disarm(attachmentOf(context.host, facts.before).address);
  releaseNetwork(facts);
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const offer = await facts.instance.offerStream?.(task.to);
  const request = { ...identity, ...(offer && { offer }) };
  const renewed = await context.peer(task.to).call("renew-incoming", request, { signal });
  facts.migrationPort = renewed.migration_port;
  facts.streamAnswer = renewed.answer;
}
