import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay } from "../platform/clock.ts";
import { hasCode } from "../platform/errors.ts";
import type { MigrationTask, SourceContext } from "./source-context.ts";

/** Between two questions; the guest runs here, and nobody waits. */
const pauseMs = 1_000;

/**
 * Whether a guest that seems to have stayed has: the destination has given it up in writing, or cannot be asked, while its
 * process here lives. libvirt alone decides, and what is seen of it here may be wrong: a destination whose libvirt still
 * has the guest does not give it up, and a process here that ends then may have been sent.
 * @returns false as soon as the process has ended without that. @throws the signal's reason
 */
export async function hasStayed(
  { peer, logger }: Pick<SourceContext, "peer" | "logger">,
  task: Pick<MigrationTask, "id" | "guest" | "epoch" | "to">,
  instance: Pick<GuestInstance, "isAlive" | "ended">,
  signal: AbortSignal,
): Promise<boolean> {
  const { id, guest, epoch, to } = task;
  const ended = instance.ended.then(() => false);
  for (let isTold = false; ; isTold = true) {
    const isGivenUp = peer(to)
      .call("abort", { id, guest, epoch })
      .then(
        ({ state }) => (state === "aborted" ? true : null),
        // Who cannot be asked gives up by itself, and what it does not know it cannot run.
        (error: unknown) => (isHeldThere(error) ? null : instance.isAlive()),
      );
    const answer = await Promise.race([isGivenUp, ended]);
    signal.throwIfAborted();
    if (answer !== null) return answer;
    if (!isTold) logger.warn({ migration: id, guest, to }, "libvirt still has the guest there too");
    await Promise.race([delay(pauseMs, signal), ended]);
  }
}

function isHeldThere(error: unknown): boolean {
  return hasCode(error, "SOJ_LIBVIRT_HOLDS_GUEST");
}
