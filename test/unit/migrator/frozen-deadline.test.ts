import { join } from "node:path";
import { expect, test } from "vitest";
import { Journal } from "../../../src/migrator/journal.ts";
import { frozenTimeLeftMs } from "../../../src/migrator/source-switchover.ts";
import { diskStorage, type Storage } from "../../../src/platform/storage.ts";
import { FakeClock } from "../platform/fake-clock.ts";
import { promise, temporaryFolder } from "./support.ts";

test("the time that a guest may stand counts from the order to stop it", () => {
  using clock = new FakeClock();
  const context = { policy: { frozenDeadlineMs: 2_000 } } as never;
  const facts = { stopIssuedMs: clock.nowMs };
  clock.run(1_500);
  expect(frozenTimeLeftMs(context, facts)).toBe(500);
  clock.stall(500);
  expect(() => frozenTimeLeftMs(context, facts)).toThrow(/stands for longer than 2000 ms/);
  expect(frozenTimeLeftMs(context, { stopIssuedMs: null })).toBe(2_000);
});

test("a promise is on disk when it is given in time", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "journal");
  {
    using journal = new Journal(path);
    await journal.appendWithin(promise, 2_000);
    expect(journal.has("m1", "promise")).toBe(true);
  }
  using reopened = new Journal(path);
  expect(reopened.has("m1", "promise")).toBe(true);
});

test("a disk that hangs does not hold the guest: the promise is not given, and the journal stays whole", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "journal");
  {
    using journal = new Journal(
      path,
      withSync(() => new Promise(() => {})),
    );
    const failure = { code: "SOJ_JOURNAL_SLOW", retryable: true };
    await expect(journal.appendWithin(promise, 20)).rejects.toMatchObject(failure);
    expect(journal.has("m1", "promise")).toBe(false);
    journal.append({ ...promise, step: "undone" });
  }
  using reopened = new Journal(path);
  expect(reopened.opening).toMatchObject({ tornBytes: 0, damage: [] });
  expect(reopened.has("m1", "undone")).toBe(true);
});

test("a disk that refuses leaves nothing of the promise, and the next record follows the last whole one", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "journal");
  {
    using journal = new Journal(
      path,
      withSync(() => Promise.reject(new Error("EIO"))),
    );
    await expect(journal.appendWithin(promise, 2_000)).rejects.toThrow("EIO");
    journal.append({ ...promise, step: "undone" });
  }
  using reopened = new Journal(path);
  expect(reopened.opening).toMatchObject({ tornBytes: 0, damage: [] });
  expect(reopened.has("m1", "promise")).toBe(false);
  expect(reopened.has("m1", "undone")).toBe(true);
});

function withSync(syncInBackground: () => Promise<void>): Storage {
  return {
    ...diskStorage,
    openForAppending: (path) => ({ ...diskStorage.openForAppending(path), syncInBackground }),
  };
}
