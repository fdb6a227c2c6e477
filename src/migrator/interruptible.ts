/** Rejects with the signal's reason once it fires. */
export function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Waits for work that knows no signal; when the signal fires, the work is left to itself. */
export async function interruptible<Result>(
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  work.catch(() => {});
  return await Promise.race([work, rejectionOf(signal)]);
}
