import { type Prober, type ProberOptions, startProber } from "./prober.ts";

/** How long (ms) sessions run undisturbed before a move: the longest hole of this time is the noise floor. */
export const floorMs = 1_200;

/** How long (ms) the sessions are watched after the outcome is known. */
export const settleMs = 1_500;

/** The probers of one measurement, all in processes of their own; disposing ends them. */
export interface ProberGroup extends AsyncDisposable {
  readonly probers: readonly Prober[];
}

/**
 * Starts probers at the same time and waits until all sessions answer.
 * @throws SojournError as `startProber`; those that had started are ended.
 */
export async function startProberGroup(all: readonly ProberOptions[]): Promise<ProberGroup> {
  await using starting = new AsyncDisposableStack();
  const attempts = await Promise.allSettled(
    all.map(async (options) => starting.use(await startProber(options))),
  );
  const failed = attempts.find((attempt) => attempt.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const probers = attempts.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const running = starting.move();
  return { probers, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
