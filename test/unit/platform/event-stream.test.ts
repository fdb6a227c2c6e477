import { expect, test } from "vitest";
import { streamOf } from "../../../src/platform/event-stream.ts";

function source() {
  const listeners = new Set<(event: number) => void>();
  return {
    listeners,
    listen: (listener: (event: number) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit: (event: number) => {
      for (const listener of listeners) listener(event);
    },
  };
}

test("events from before the first read, and from while one waits, come in order", async () => {
  const { listen, emit, listeners } = source();
  const stream = streamOf(listen, new AbortController().signal);
  emit(1);
  emit(2);
  const seen: number[] = [];
  for await (const event of stream) {
    seen.push(event);
    if (event === 2) queueMicrotask(() => emit(3));
    if (event === 3) break;
  }
  expect(seen).toEqual([1, 2, 3]);
  expect(listeners.size).toBe(0);
});

test("the signal ends a reader that waits", async () => {
  const { listen, listeners } = source();
  const controller = new AbortController();
  const stream = streamOf(listen, controller.signal);
  queueMicrotask(() => controller.abort());
  for await (const event of stream) throw new Error(`unexpected ${event}`);
  expect(listeners.size).toBe(0);
});
