import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { enterMachine, leaveMachine } from "../../src/lab/footprint.ts";
import { guestImage } from "../../src/lab/guest-image.ts";
import { run, sojourn } from "./lab-support/run.ts";

const lab = `sjtesto${process.pid}`;
let folder: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "lab-overlay-"));
  await enterMachine(lab);
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await leaveMachine(lab);
});

test("an overlay follows the image, with its modes and owned by root", async () => {
  const base = join(folder, "base");
  const overlay = join(folder, "overlay");
  writeFileSync(base, "the image, which is not looked into");
  mkdirSync(join(overlay, "etc"), { recursive: true });
  writeFileSync(join(overlay, "etc", "rc.local"), "#!/bin/sh\n");
  chmodSync(join(overlay, "etc", "rc.local"), 0o755);
  writeFileSync(join(overlay, "name with\nnewline"), "x", { mode: 0o600 });

  const { initrd } = await guestImage(lab, { kernel: sojourn, initrd: base, overlay });
  const merged = readFileSync(initrd);
  const baseBytes = readFileSync(base);
  expect(merged.subarray(0, baseBytes.length)).toEqual(baseBytes);
  const archive = join(folder, "archive");
  writeFileSync(archive, gunzipSync(merged.subarray(baseBytes.length)));
  const list = await run(["cpio", "-itv", "--quiet", "-F", archive]);
  expect(list.stdout).toMatch(/^-rwxr-xr-x\s+1 root\s+root .* etc\/rc\.local$/m);
  expect(list.stdout).toMatch(/^-rw-------\s+1 root\s+root .* name with/m);
});

test("an overlay that is no folder or too large is refused", async () => {
  const wish = (overlay: string) => guestImage(lab, { kernel: sojourn, initrd: sojourn, overlay });
  await expect(wish(join(folder, "missing"))).rejects.toMatchObject({ code: "SOJ_LAB_OVERLAY" });
  const sparse = join(folder, "huge");
  mkdirSync(sparse);
  const { truncate } = await import("node:fs/promises");
  writeFileSync(join(sparse, "file"), "");
  await truncate(join(sparse, "file"), 1024 ** 3);
  await expect(wish(sparse)).rejects.toMatchObject({ code: "SOJ_LAB_OVERLAY", exitCode: 2 });
});
