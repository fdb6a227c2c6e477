import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { monotonicMs, startInterval, type Timer } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { Standstill } from "./standstill.ts";

/** After the promise: a stream that moves may take longer, one that stands still has failed or is loaded. */
const standstillMs = 800;

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
  const standstill = watchStandstill(facts.instance, giveUp);
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
    standstill.cancel();
  }
  throw new SojournError("SOJ_TAKEOVER_TIMEOUT", "the destination does not take the guest over");
}

/** Gives up when nothing has left our QEMU for `standstillMs`: the guest is stopped, and the destination can be asked. */
function watchStandstill(instance: GuestInstance, giveUp: AbortController): Timer {
  const standstill = new Standstill();
  const look = async () => {
    const { transferredBytes } = await instance.migrationProgress();
    if (standstill.note(transferredBytes) <= standstillMs) return;
    const message = `nothing has left the source for ${standstillMs} ms, and the destination has not taken over`;
    giveUp.abort(new SojournError("SOJ_STREAM_STALLED", message));
  };
  return startInterval(() => void look().catch(() => {}), 200);
}

/** Puts the destination's instants on the source's clock; those that its clock was set in between are not known. */
export function noteTakeover(
  task: MigrationTask,
  facts: MigrationFacts,
  answer: { takeover_ms: number | null; resume_ms: number | null },
): void {
  const offsetMs = facts.clockOffset?.offsetMs ?? 0;
  const mark = (phase: "takeover" | "resume", theirsMs: number | null) => {
    const isKnown = theirsMs !== null && facts.timeline.placeMs(theirsMs - offsetMs) !== null;
    return isKnown ? facts.timeline.mark(phase, task.to, theirsMs - offsetMs) : null;
  };
  mark("takeover", answer.takeover_ms);
  facts.resumedMs = mark("resume", answer.resume_ms);
}
