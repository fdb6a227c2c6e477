import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runSojourn } from "../../support/sojourn-process.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-launcher-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A program that says which version of Node it is, runs the real one, and tells how large its young generation may be. */
async function nodeOf(version: string): Promise<string> {
  const tell = join(folder, "tell.mjs");
  await writeFile(
    tell,
    `import v8 from "node:v8";
    for (let round = 0, kept = []; round < 300; round += 1) {
      kept = Array.from({ length: 20_000 }, (_, index) => ({ index, round, kept: kept[0] && 1 }));
    }
    const young = v8.getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
    console.log(JSON.stringify({ args: process.argv.slice(2), youngBytes: young.space_size }));`,
  );
  const path = join(folder, "node");
  const script = `#!/bin/sh
if [ "$1" = --version ]; then echo ${version}; exit; fi
flags=
while [ "\${1#--}" != "$1" ]; do flags="$flags $1"; shift; done
shift
exec "${process.execPath}" $flags "${tell}" "$@"
`;
  await writeFile(path, script, { mode: 0o755 });
  return path;
}

test("Node's young generation stays small, however much a daemon has to do", async () => {
  const SOJOURN_NODE = await nodeOf("v24.1.0");
  const { stdout, exitCode } = await runSojourn(["daemon", "--config", "x"], { SOJOURN_NODE });
  expect(exitCode).toBe(0);
  const { args, youngBytes } = JSON.parse(stdout);
  expect(args).toEqual(["daemon", "--config", "x"]);
  expect(youngBytes).toBeLessThanOrEqual(3 * 8 * 1024 * 1024);
});

test("a Node that is too old is refused by name", async () => {
  const SOJOURN_NODE = await nodeOf("v22.1.0");
  const { stderr, exitCode } = await runSojourn(["status"], { SOJOURN_NODE });
  expect({ stderr, exitCode }).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining(`SOJOURN_NODE (${SOJOURN_NODE}) is not a Node 24 or newer`),
  });
});
