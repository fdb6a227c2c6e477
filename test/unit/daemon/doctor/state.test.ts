import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkHistory,
  checkJournal,
  checkStateFolder,
} from "../../../../src/daemon/doctor/files/state.ts";
import { Journal } from "../../../../src/migrator/journal.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-state-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("the state folder", () => {
  it("is measured, and left as it was", async () => {
    const checks = await checkStateFolder(folder);
    expect(checks.map(({ id }) => id)).toEqual(["state-folder", "state-space", "state-latency"]);
    expect(checks[0]?.result).toBe("ok");
    expect(checks[2]?.detail).toMatch(/ms until on disk/);
    expect(await readdir(folder)).toEqual([]);
  });

  it("is not written to while a guest moves", async () => {
    const [, , latency] = await checkStateFolder(folder, true);
    expect(latency).toMatchObject({ id: "state-latency", result: "skipped" });
  });

  it("must be there, and its owner's alone", async () => {
    expect((await checkStateFolder(join(folder, "none")))[0]).toMatchObject({ result: "warn" });
    await chmod(folder, 0o755);
    expect(await checkStateFolder(folder)).toMatchObject([
      { result: "fail", mend: `chmod 700 ${folder}` },
    ]);
  });
});

describe("what is in it", () => {
  it("is a journal without damage", async () => {
    const path = join(folder, "journal");
    expect(checkJournal(path)).toMatchObject({ result: "skipped" });
    using journal = new Journal(path);
    journal.append({ step: "begin", migration: "m1", guest: "web1", epoch: 1, role: "source" });
    expect(checkJournal(path)).toMatchObject({ result: "ok", detail: "1 record" });
    await writeFile(path, "not a journal at all, but long enough to be one");
    expect(checkJournal(path)).toMatchObject({ result: "fail" });
  });

  it("is a history that was never moved aside", async () => {
    expect(checkHistory(folder)).toMatchObject({ result: "skipped" });
    await writeFile(join(folder, "history.sqlite"), "");
    expect(checkHistory(folder)).toMatchObject({ result: "ok" });
    await writeFile(join(folder, "history.sqlite.damaged-17"), "");
    expect(checkHistory(folder)).toMatchObject({
      ...{ result: "warn", mend: `rm ${folder}/history.sqlite.damaged-17*` },
    });
  });
});
