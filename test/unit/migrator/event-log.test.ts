import { expect, test } from "vitest";
import { EventLog } from "../../../src/migrator/event-log.ts";

async function collect(log: EventLog<number>, signal = new AbortController().signal) {
  const seen: number[] = [];
  for await (const event of log.follow(signal)) seen.push(event);
  return seen;
}

test("whoever comes late gets everything, in order, and then the end", async () => {
  const log = new EventLog<number>();
  log.push(1);
  const early = collect(log);
  log.push(2);
  await Promise.resolve();
  log.push(3);
  log.end();
  log.push(4);
  expect(await early).toEqual([1, 2, 3]);
  expect(await collect(log)).toEqual([1, 2, 3]);
  expect(log.ended).toBe(true);
});

test("a follower that leaves does not disturb another", async () => {
  const log = new EventLog<number>();
  const leaving = new AbortController();
  const left = collect(log, leaving.signal);
  const staying = collect(log);
  log.push(1);
  await new Promise((resolve) => setImmediate(resolve));
  leaving.abort();
  expect(await left).toEqual([1]);
  log.push(2);
  log.end();
  expect(await staying).toEqual([1, 2]);
});

test("waiting ends with the event, with the end of the log, or in time", async () => {
  const log = new EventLog<number>();
  await log.wait(0, 1);
  const waiting = log.wait(0, 60_000);
  log.push(1);
  await waiting;
  await log.wait(0, 60_000);
  const next = log.wait(1, 60_000);
  log.end();
  await next;
  await log.wait(5, 60_000);
});
