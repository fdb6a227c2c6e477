import { monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";

/**
 * Waits for the destination's word that it has taken the guest over.
 * @throws SojournError when our QEMU reports failure or the destination stays silent: then it must be settled.
 */
export async function awaitTakeover(
  context: SourceContext,
  task: MigrationTask,
  facts: MigrationFacts,
): Promise<"taken-over" | "aborted"> {
  const peer = context.peer(task.to);
  const giveUp = new AbortController();
  const unsubscribe = facts.instance.onEvent((event) => {
    if (event.name === "MIGRATION" && event.data.status === "failed") {
      giveUp.abort(
        new SojournError("SOJ_MIGRATION_FAILED", "QEMU's stream failed after the promise"),
      );
    }
  });
  const startedMs = monotonicMs();
  try {
    while (monotonicMs() - startedMs < context.policy.takeoverDeadlineMs) {
      const answer = await peer.call(
        "state",
        { id: task.id, guest: task.guest, epoch: task.epoch, wait_ms: 2_000 },
        { signal: giveUp.signal, timeoutMs: 5_000 },
      );
      if (answer.state === "taken-over") {
        noteTakeover(task, facts, answer);
        return "taken-over";
      }
      if (answer.state === "aborted") return "aborted";
    }
  } finally {
    unsubscribe();
  }
  throw new SojournError("SOJ_TAKEOVER_TIMEOUT", "the destination does not take the guest over");
}

/** Puts the destination's instants on the source's clock. */
export function noteTakeover(
  task: MigrationTask,
  facts: MigrationFacts,
  answer: { takeover_ms: number | null; resume_ms: number | null },
): void {
  const offsetMs = facts.clockOffset?.offsetMs ?? 0;
  if (answer.takeover_ms !== null) {
    facts.timeline.mark("takeover", task.to, answer.takeover_ms - offsetMs);
  }
  if (answer.resume_ms !== null) {
    facts.resumedMs = answer.resume_ms - offsetMs;
    facts.timeline.mark("resume", task.to, facts.resumedMs);
  }
}
