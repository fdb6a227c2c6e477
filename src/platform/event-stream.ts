/** Events that nobody has taken yet; more mean that the reader has stopped. */
const longestQueue = 10_000;

/**
 * What `listen` reports as an async stream. Listening begins with the call, not with the first read, so that
 * nothing is missed; it ends when the reader leaves the loop or `signal` fires.
 */
export function streamOf<Event>(
  listen: (listener: (event: Event) => void) => () => void,
  signal: AbortSignal,
): AsyncIterable<Event> {
  const queue: Event[] = [];
  let wake = Promise.withResolvers<void>();
  const stop = listen((event) => {
    if (queue.length < longestQueue) queue.push(event);
    wake.resolve();
  });
  const onAbort = () => {
    stop();
    wake.resolve();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return {
    async *[Symbol.asyncIterator]() {
      try {
        while (!signal.aborted) {
          const event = queue.shift();
          if (event !== undefined) {
            yield event;
            continue;
          }
          await wake.promise;
          wake = Promise.withResolvers<void>();
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
        stop();
      }
    },
  };
}
