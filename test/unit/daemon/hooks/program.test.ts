import { chmod, chown, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runHookProgram } from "../../../../src/daemon/hooks/program.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-hooks-"));
  path = join(folder, "10-announce");
  await writeFile(path, '#!/bin/sh\necho "$SOJOURN_EVENT"; cat\n', { mode: 0o755 });
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (program = path) =>
  runHookProgram({ program, input: "{}", environment: { SOJOURN_EVENT: "x" }, timeoutMs: 5_000 });
const refused = (reason: string) =>
  expect.objectContaining({
    code: "SOJ_HOOK_PROGRAM_REFUSED",
    message: expect.stringContaining(reason),
  });

describe("hook program", () => {
  it("gets the payload and its variables", async () => {
    expect(await run()).toMatchObject({ exitCode: 0, stdout: "x\n{}" });
  });

  it("is refused when others may write to it or to its folder", async () => {
    await chmod(path, 0o775);
    await expect(run()).rejects.toThrow(refused("may write"));
    await chmod(path, 0o757);
    await expect(run()).rejects.toThrow(refused("may write"));
    await chmod(path, 0o755);
    await chmod(folder, 0o777);
    await expect(run()).rejects.toThrow(refused("may write"));
  });

  it("is refused when a folder above its own could be exchanged", async () => {
    const below = join(folder, "hooks.d");
    await mkdir(below, { mode: 0o755 });
    const program = join(below, "10-announce");
    await rename(path, program);
    expect(await run(program)).toMatchObject({ exitCode: 0 });
    await chmod(folder, 0o777);
    await expect(run(program)).rejects.toThrow(refused("may write"));
    await chmod(folder, 0o1777);
    expect(await run(program)).toMatchObject({ exitCode: 0 });
    await chown(folder, 65_534, 65_534);
    await expect(run(program)).rejects.toThrow(refused("not root's"));
    const link = `${folder}-link`;
    await symlink(folder, link);
    try {
      await expect(run(join(link, "hooks.d", "10-announce"))).rejects.toThrow(
        refused("not root's"),
      );
      await chown(folder, 0, 0);
      expect(await run(join(link, "hooks.d", "10-announce"))).toMatchObject({ exitCode: 0 });
    } finally {
      await rm(link);
    }
  });

  it("is refused when it is not root's", async () => {
    await chown(path, 65_534, 65_534);
    await expect(run()).rejects.toThrow(refused("not root's"));
  });

  it("is refused when it is a link, a folder, missing or not executable", async () => {
    await symlink(path, join(folder, "link"));
    await expect(run(join(folder, "link"))).rejects.toThrow(refused("no regular file"));
    await expect(run(folder)).rejects.toThrow(refused(""));
    await expect(run(join(folder, "none"))).rejects.toThrow(refused("ENOENT"));
    await chmod(path, 0o644);
    await expect(run()).rejects.toThrow(refused("not executable"));
  });
});
