import { join } from "node:path";
import { expect, test } from "vitest";
import { Instruments } from "../../../src/daemon/metrics/instruments.ts";
import { JournalMetrics } from "../../../src/daemon/metrics/journal-metrics.ts";
import { timedStorage } from "../../../src/daemon/metrics/timed-storage.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import { diskStorage, type Storage } from "../../../src/platform/storage.ts";
import { valueIn } from "../../support/scrape.ts";
import { promise, temporaryFolder } from "../migrator/support.ts";
import { FakeClock } from "../platform/fake-clock.ts";

const latency = "sojourn_journal_append_duration_seconds";
const waiting = "sojourn_journal_append_waiting_seconds";

test("every record of a real journal counts, with the time until it is on disk", async () => {
  using folder = temporaryFolder();
  const { metrics, instruments } = newMetrics();
  using journal = new Journal(join(folder.path, "journal"), timedStorage(diskStorage, metrics));
  journal.append(promise);
  await journal.appendWithin(promise, 5_000);
  const text = await instruments.registry.metrics();
  // The header of a new journal is the first.
  expect(valueIn(text, `${latency}_count`)).toBe(3);
  expect(valueIn(text, `${latency}_sum`)).toBeGreaterThan(0);
  expect(valueIn(text, waiting)).toBe(0);
  expect(valueIn(text, "sojourn_journal_append_failures_total")).toBe(0);
});

test("a disk that hangs shows by how long the record waits", async () => {
  using clock = new FakeClock();
  using folder = temporaryFolder();
  const hanging = Promise.withResolvers<void>();
  const { metrics, instruments } = newMetrics();
  const storage = timedStorage(storageWith({ syncInBackground: () => hanging.promise }), metrics);
  using journal = new Journal(join(folder.path, "journal"), storage);
  const appended = journal.appendWithin(promise, 600_000);
  clock.run(30_000);
  expect(valueIn(await instruments.registry.metrics(), waiting)).toBe(30);
  hanging.resolve();
  await appended;
  const text = await instruments.registry.metrics();
  expect(valueIn(text, waiting)).toBe(0);
  expect(valueIn(text, `${latency}_bucket`, { le: "10" })).toBe(1);
  expect(valueIn(text, `${latency}_count`)).toBe(2);
});

test("what the disk does not take is a failure, and no latency", async () => {
  using folder = temporaryFolder();
  const { metrics, instruments } = newMetrics();
  let isFull = false;
  const storage = storageWith({
    sync: () => {
      if (isFull) throw new Error("ENOSPC");
    },
  });
  using journal = new Journal(join(folder.path, "journal"), timedStorage(storage, metrics));
  isFull = true;
  expect(() => journal.append(promise)).toThrow("ENOSPC");
  const text = await instruments.registry.metrics();
  expect(valueIn(text, "sojourn_journal_append_failures_total")).toBe(1);
  expect(valueIn(text, `${latency}_count`)).toBe(1);
});

test("a daemon that nobody scrapes puts little aside", async () => {
  const { metrics, instruments } = newMetrics();
  for (let number = 0; number < 10_000; number += 1) {
    metrics.began(number);
    metrics.ended(number, number + 1, true);
  }
  expect(valueIn(await instruments.registry.metrics(), `${latency}_count`)).toBe(10_000);
});

function newMetrics() {
  const instruments = new Instruments();
  return { metrics: new JournalMetrics(instruments), instruments };
}

/** The disk, but for what a test wants to go otherwise. */
function storageWith(change: {
  sync?: () => void;
  syncInBackground?: () => Promise<void>;
}): Storage {
  return {
    ...diskStorage,
    openForAppending: (path) => ({ ...diskStorage.openForAppending(path), ...change }),
  };
}
