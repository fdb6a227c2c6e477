import { execFile } from "node:child_process";
import { chmod, chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCertificates, readSecretFile } from "../../../../src/daemon/hooks/secret-file.ts";

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-secret-"));
  path = join(folder, "secret");
  await writeFile(path, "a secret of enough bytes\n", { mode: 0o600 });
});

afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a secret's file", () => {
  it("is root's own", async () => {
    expect(String(await readSecretFile(path))).toBe("a secret of enough bytes");
    await chown(path, 65_534, 65_534);
    await expect(readSecretFile(path)).rejects.toThrow(/belongs to user 65534/);
    await chown(path, 0, 0);
    await chmod(path, 0o640);
    await expect(readSecretFile(path)).rejects.toThrow(/others than its owner/);
  });

  it("may be a pipe that nobody writes into: that is told, not waited for", async () => {
    const pipe = join(folder, "pipe");
    await promisify(execFile)("/usr/bin/mkfifo", ["-m", "0600", pipe]);
    await expect(readSecretFile(pipe)).rejects.toThrow(/is no file/);
    await expect(readCertificates(pipe)).rejects.toThrow(/is no file/);
  });
});
