import { startTimer } from "./clock.ts";

/** Resolves when `work` is done, or after `mostMs`: it is left to itself then. @throws what it throws until then. */
export async function waitAtMost(mostMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = startTimer(resolve, mostMs);
  try {
    await Promise.race([work, promise]);
  } finally {
    timer.cancel();
  }
}

/**
 * What the work that `begin` begins results in, counted from before it begins.
 * @throws what it throws; `late()` when it takes longer than `mostMs`: it is left to itself then.
 */
export async function within<Result>(
  mostMs: number,
  begin: () => Promise<Result>,
  late: () => Error,
): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = startTimer(() => reject(late()), mostMs);
  try {
    const work = begin();
    work.catch(() => {});
    return await Promise.race([work, promise]);
  } finally {
    timer.cancel();
  }
}
