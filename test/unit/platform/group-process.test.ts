import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { getPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runInGroup } from "../../../src/platform/group-process.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-group-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(script: string, change: Partial<Parameters<typeof runInGroup>[1]> = {}) {
  const path = join(folder, "program");
  await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const defaults = { input: "in", env: { NAME: "value" }, timeoutMs: 5_000, maxOutputBytes: 64 };
  return await runInGroup(path, { ...defaults, ...change });
}

const isThere = (pid: string) =>
  readFile(`/proc/${pid.trim()}/stat`, "utf8").then(isAlive, () => false);
const isAlive = (stat: string) => !/\) Z /.test(stat);

describe("process group", () => {
  it("passes input and nothing but the given environment, and tells how it ended", async () => {
    const result = await run('/usr/bin/cat; echo " $NAME"; pwd >&2; exit 3');
    expect(result).toMatchObject({
      ...{ exitCode: 3, endedBy: "itself", stdout: "in value\n", stderr: "/\n", isCut: false },
    });
    const { stdout } = await run("/usr/bin/env", { maxOutputBytes: 4096 });
    expect(stdout.split("\n").filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line))).toEqual([
      ...["NAME=value", ""],
    ]);
  });

  it("keeps no more output than allowed, and lets the program go on", async () => {
    const result = await run("/usr/bin/head -c 1000000 /dev/zero; exit 0");
    expect(result).toMatchObject({ exitCode: 0, isCut: true });
    expect(result.stdout).toHaveLength(64);
  });

  it("gives one in the background a low priority, on its processor and on disks", async () => {
    const { stdout } = await run("/usr/bin/nice; /usr/bin/ionice", { isBackground: true });
    const niceness = Math.min(getPriority() + 10, 19);
    expect(stdout).toBe(`${niceness}\nbest-effort: prio 7\n`);
    const untilLow = "until /usr/bin/grep -q 'nice 10$' /proc/self/autogroup; do :; done";
    const result = await run(`test ! -e /proc/self/autogroup || ${untilLow}`, {
      isBackground: true,
    });
    expect(result).toMatchObject({ exitCode: 0, endedBy: "itself" });
  });

  it("ends the whole group after the time-out, also one that does not want to", async () => {
    const result = await run('trap "" TERM; /usr/bin/sleep 60 & echo $!; /usr/bin/sleep 61; wait', {
      timeoutMs: 300,
    });
    expect(result).toMatchObject({ endedBy: "timeout" });
    await expect.poll(() => isThere(result.stdout)).toBe(false);
  });

  it("ends it when it is told to stop", async () => {
    const stop = new AbortController();
    const running = run("/usr/bin/sleep 60", { signal: stop.signal });
    stop.abort();
    expect(await running).toMatchObject({ endedBy: "stop" });
    const late = await run("/usr/bin/sleep 60", { signal: stop.signal });
    expect(late).toMatchObject({ endedBy: "stop" });
  });

  it("leaves no child behind, and does not wait for one that holds the output", async () => {
    const result = await run("/usr/bin/sleep 60 & echo $!");
    expect(result).toMatchObject({ exitCode: 0, endedBy: "itself" });
    await expect.poll(() => isThere(result.stdout)).toBe(false);
  });

  it("does not wait for a process that has left the group with its output", async () => {
    const result = await run("/usr/bin/setsid /usr/bin/sleep 3 & echo said");
    expect(result).toMatchObject({ exitCode: 0, stdout: "said\n" });
  });

  it("survives a program that does not read its input, and one that is none", async () => {
    expect(await run("exit 0", { input: "x".repeat(1e6) })).toMatchObject({ exitCode: 0 });
    const none = runInGroup(join(folder, "none"), {
      ...{ input: "", env: {}, timeoutMs: 1_000, maxOutputBytes: 4096 },
    });
    expect(await none).toMatchObject({ exitCode: 127 });
  });
});
