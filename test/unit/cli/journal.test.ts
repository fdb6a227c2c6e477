import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Journal } from "../../../src/migrator/journal.ts";
import { runSojourn } from "../../support/sojourn-process.ts";
import { promise, temporaryFolder } from "../migrator/support.ts";

test("journal show prints the journal without a daemon and leaves it as it is", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "journal");
  {
    using journal = new Journal(file);
    journal.append(promise);
  }
  appendFileSync(file, "torn");
  for (let time = 0; time < 2; time += 1) {
    const shown = await runSojourn(["journal", "show", "--file", file]);
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout).toMatch(/^TIME +ROLE +STEP +GUEST +MIGRATION +EPOCH\n/);
    expect(shown.stdout).toMatch(/Z +source +promise +web1 +m1 +3\n/);
    expect(shown.stdout).toContain("torn: 4 bytes");
  }
  const programs = await runSojourn(["journal", "show", "--json", "--file", file]);
  expect(JSON.parse(programs.stdout)).toMatchObject({
    type: "journal",
    file,
    records: [promise],
    torn_bytes: 4,
    damage: [],
  });
});

test("a journal that is not there is exit code 3", async () => {
  const missing = await runSojourn(["journal", "show", "--file", "/nonexistent/journal"]);
  expect(missing.exitCode).toBe(3);
  expect(missing.stderr).toContain("SOJ_JOURNAL_MISSING");
});
