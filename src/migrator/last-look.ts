import type { GuestEvent, MigrationProgress } from "../hypervisor/hypervisor.ts";
import { monotonicMs, startTimer, type Timer } from "../platform/clock.ts";
import { isAllSent } from "./convergence.ts";
import type { MigrationFacts, SourceContext } from "./source-context.ts";

/** More was left than the guest may be stopped for: it runs on, and the stream too. */
export class StillBusy extends Error {}

/**
 * What is expected to be left at most may take this share of the budget; with more, it is waited for until QEMU has
 * counted.
 */
const certainShare = 0.5;

/** A page that is on its way, and an answer of the monitor's, beside the time that is expected. */
const slackMs = 20;

type Facts = Pick<MigrationFacts, "instance" | "course" | "stopIssuedMs" | "pace">;

/**
 * Once the guest stands, and before anything is promised: how long it would stand in all. Until that is known to be
 * within the budget, QEMU's downtime limit stays so low that it sends on, so that a guest with too much left can run
 * on as if nothing had been. `left` was read right after the stop; what the guest dirtied since QEMU last counted is
 * not in it, and is in the next pass.
 * @throws StillBusy when the guest runs again.
 */
export async function lookOnceMore(
  context: Pick<SourceContext, "policy" | "logger">,
  facts: Facts,
  left: MigrationProgress,
): Promise<void> {
  const { instance, course } = facts;
  const { policy } = context;
  const standsMs = () => monotonicMs() - (facts.stopIssuedMs ?? monotonicMs());
  const budgetMs = course.budgetMs(policy);
  const mostMs = course.predictedMs(left, course.dirtiedIn(course.sinceDecisionMs));
  if (isAllSent(left) || standsMs() + mostMs <= certainShare * budgetMs) return;
  const atLeastMs = course.predictedMs(left);
  if (standsMs() + atLeastMs > budgetMs) return await runOn(context, facts, left);
  using next = new NextPass(
    facts,
    Math.min(1.5 * atLeastMs + slackMs, policy.frozenDeadlineMs / 2),
  );
  await next.seen;
  const counted = await instance.migrationProgress();
  if (isAllSent(counted)) return;
  const isKnown = counted.dirtySyncCount > left.dirtySyncCount;
  if (isKnown && standsMs() + course.predictedMs(counted) <= budgetMs) return;
  await runOn(context, facts, counted);
}

/** @throws StillBusy; not when QEMU has stopped sending meanwhile, because nothing is left. */
async function runOn(
  { logger }: Pick<SourceContext, "logger">,
  facts: Facts,
  left: MigrationProgress,
): Promise<void> {
  const { instance, course, pace, stopIssuedMs } = facts;
  try {
    await instance.cont();
  } catch (error) {
    // QEMU refuses it between `pre-switchover` and the end.
    if (isAllSent(await instance.migrationProgress())) return;
    throw error;
  }
  const stoodMs = stopIssuedMs === null ? null : monotonicMs() - stopIssuedMs;
  const predictedMs = course.predictedMs(left);
  course.noteReturn();
  facts.stopIssuedMs = null;
  logger.info({ guest: instance.guest, stoodMs, predictedMs }, "too much left: it runs on");
  await pace.nextPass(left.remainingBytes);
  throw new StillBusy();
}

/** The next time that QEMU counts what is dirty, or ends precopy; `seen` resolves after `atMostMs` anyway. */
class NextPass implements Disposable {
  readonly seen: Promise<void>;
  readonly #timer: Timer;
  readonly #unlisten: () => void;

  constructor({ instance }: Pick<MigrationFacts, "instance">, atMostMs: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.seen = promise;
    this.#timer = startTimer(resolve, atMostMs);
    this.#unlisten = instance.onEvent(({ name }: GuestEvent) => {
      if (name === "MIGRATION_PASS" || name === "MIGRATION") resolve();
    });
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
    this.#unlisten();
  }
}
