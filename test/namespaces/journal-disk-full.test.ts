import { mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Journal } from "../../src/migrator/journal.ts";
import { runCommand } from "../../src/platform/command.ts";

const record = { migration: "m1", guest: "web1", epoch: 1, role: "source" } as const;

test("a record for which the disk has no room is refused whole, and the journal stays readable", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sojourn-journal-"));
  await runCommand("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", folder]);
  try {
    const path = join(folder, "journal");
    using journal = new Journal(path);
    journal.append({ ...record, step: "begin" });
    // What is left of the last page takes a part of the next record only.
    const long = { ...record, guest: "x".repeat(3_800) };
    journal.append({ ...long, step: "pausing" });
    expect(() => writeFileSync(join(folder, "filler"), Buffer.alloc(1 << 20))).toThrow(/ENOSPC/);
    expect(() => journal.append({ ...long, step: "promise" })).toThrow(/ENOSPC/);
    expect(journal.has("m1", "promise")).toBe(false);
    using reopened = new Journal(path);
    expect(reopened.has("m1", "pausing")).toBe(true);
    expect(reopened.has("m1", "promise")).toBe(false);
  } finally {
    await runCommand("umount", [folder]);
    rmdirSync(folder);
  }
});
