import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const program = `
  import { closeSync, openSync } from "node:fs";
  import { runCommand } from ${JSON.stringify(new URL("../../../src/platform/command.ts", import.meta.url).href)};
  await runCommand("ip", ["-V"]);
  const held = [];
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {}
  const codes = [];
  while (held.length > 0) {
    codes.push(await runCommand("ip", ["-V"]).then(() => "ran", (error) => error.code));
    closeSync(held.pop());
  }
  console.log(JSON.stringify([...new Set(codes)]));
`;

test("without descriptors for a child, however few are missing, a command fails and the process goes on", async () => {
  const script = 'ulimit -n 64; exec "$0" --input-type=module-typescript -e "$1"';
  const { stdout } = await promisify(execFile)("bash", ["-c", script, process.execPath, program]);
  expect(JSON.parse(stdout)).toEqual(["SOJ_DESCRIPTORS", "ran"]);
});
