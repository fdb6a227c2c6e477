import { delay, monotonicMs } from "../platform/clock.ts";
import { attachmentOf } from "./network.ts";
import {
  type MigrationFacts,
  type MigrationTask,
  releaseNetwork,
  type SourceContext,
} from "./source-context.ts";

/** Gives up a stream whose guest QEMU has stopped by itself, and gets an empty destination for the next. */
export async function renewDestination(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
  signal: AbortSignal,
): Promise<void> {
  const { instance } = facts;
  await context.network.routing.disarm(attachmentOf(context.host, facts.before).address);
  releaseNetwork(facts);
  facts.carriedBytes = (await instance.migrationProgress()).transferredBytes || null;
  await instance.cancelMigration();
  const deadline = monotonicMs() + 5_000;
  while (!["cancelled", "failed"].includes((await instance.migrationProgress()).status)) {
    if (monotonicMs() > deadline) throw new Error("QEMU does not end the stream it gave up");
    await delay(5, signal);
  }
  if (facts.resume && (await instance.runState()) !== "running") await instance.cont();
  const identity = { id: task.id, guest: task.guest, epoch: task.epoch };
  const renewed = await context.peer(task.to).call("renew-incoming", identity, { signal });
  facts.migrationPort = renewed.migration_port;
}
