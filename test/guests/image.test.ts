import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCommand } from "../../src/platform/command.ts";
import { type BootedGuest, bootGuest } from "./support/booted-guest.ts";

describe("the guest image", () => {
  let guest: BootedGuest;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sojourn-overlay-"));
    guest = await bootGuest({
      initrd: await imageWithOverlay(folder),
      append: "sojourn.memcheck=16 sojourn.dirty_mbps=800",
    });
  });

  afterAll(async () => {
    await guest?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("echo returns every byte in order, to many at once, and survives a reset", async () => {
    expect(await guest.client("echo")).toEqual(Array(9).fill(true));
  });

  test("discard takes everything and says nothing", async () => {
    expect(await guest.client("discard")).toEqual({ sentBytes: 8 * 1024 * 1024, answerBytes: 0 });
  });

  test("chargen sends the pattern of RFC 864 without a gap", async () => {
    const result = (await guest.client("chargen")) as { lines: number; wrong: number };
    expect(result.wrong).toBe(-1);
    expect(result.lines).toBeGreaterThan(50_000);
  });

  test("HTTP serves deterministic content of any length on one kept connection", async () => {
    expect(await guest.client("http")).toEqual({
      blobs: Array(8).fill(true),
      connections: 1,
      sha256Equal: true,
      page: "<!doctype html><title>web1</title><h1>web1</h1>\n",
      missing: 404,
      negative: 404,
    });
  });

  test("HTTP refuses what it does not understand and goes on", async () => {
    expect(await guest.client("badRequests")).toEqual({
      statuses: ["400", "405", "400", "431", "400"],
      after: 200,
    });
  });

  test("the clocks advance", async () => {
    const first = (await guest.client("clock")) as Record<string, string>;
    const second = (await guest.client("clock")) as Record<string, string>;
    for (const name of ["realtime_ns", "monotonic_ns"]) {
      expect(BigInt(second[name] ?? 0)).toBeGreaterThan(BigInt(first[name] ?? 0));
    }
  });

  test("the kernel's TCP counters are told", async () => {
    const totals = (await guest.client("tcp")) as Record<string, number>;
    expect(totals).toMatchObject({ retransmissions: expect.any(Number), timeouts: 0 });
    expect(totals.segments_sent).toBeGreaterThan(100);
  });

  test("an overlay's files are there and its rc.local runs", async () => {
    await guest.line(/overlay says hello from web1/);
  });

  test("memcheck passes, then notices a changed byte and does not forget it", async () => {
    await guest.line(/memcheck: pass \d+ ok/);
    const before = (await guest.client("memcheck")) as { passes: number };
    expect(before).toMatchObject({ corruptions: 0, mib: 16 });
    expect(before.passes).toBeGreaterThan(0);

    await guest.qmp("stop");
    await damagePages(guest.memoryFile, 3);
    await guest.qmp("cont");
    await guest.line(/memcheck: CORRUPT page \d+ word \d+ generation \d+ expected \w+ found \w+/);
    await guest.line(/memcheck: pass \d+ CORRUPT pages so far [1-3]$/);
    const after = (await guest.client("memcheck")) as { passes: number; corruptions: number };
    expect(after.passes).toBeGreaterThan(before.passes);
    // A page that was just being rewritten when the guest was stopped may heal unseen.
    expect(after.corruptions).toBeGreaterThanOrEqual(2);
  });

  test("the console shows no complaint of the kernel", () => {
    const complaints = /BUG|Oops|WARNING|Call Trace|panic|Out of memory|unknown parameter|cannot/;
    expect(guest.console.filter((line) => complaints.test(line))).toEqual([]);
  });

  test("the power button ends the guest in order", async () => {
    await guest.qmp("system_powerdown");
    expect(await guest.ended).toBe(0);
    await guest.line(/sojourn-guest: powering off/);
  });
});

/** The image with a second archive behind it, as `--guest-overlay` makes it. */
async function imageWithOverlay(folder: string): Promise<string> {
  const tree = join(folder, "tree");
  const image = join(folder, "image");
  await mkdir(join(tree, "etc"), { recursive: true });
  await mkdir(join(tree, "srv"));
  await writeFile(join(tree, "srv/words"), "hello from");
  await writeFile(
    join(tree, "etc/rc.local"),
    '#!/bin/sh\necho "overlay says $(cat /srv/words) $(hostname)" >/dev/console\n',
  );
  const names = "etc\netc/rc.local\nsrv\nsrv/words\n";
  const archive = join(folder, "overlay.cpio");
  await runCommand("cpio", ["-D", tree, "-o", "-H", "newc", "--quiet", "-O", archive], {
    input: names,
  });
  await runCommand("gzip", [archive]);
  const base = fileURLToPath(new URL("../../build/guest/initramfs.cpio.gz", import.meta.url));
  await pipeline(createReadStream(base), createWriteStream(image));
  await writeFile(image, await readFile(`${archive}.gz`), { flag: "a" });
  return image;
}

/** Flips a byte in pages that memcheck owns, recognized by the constant step between their words. */
async function damagePages(memoryFile: string, count: number): Promise<void> {
  const step = 0xbf58476d1ce4e5b9n;
  const memory = await readFile(memoryFile);
  const isChecked = (page: number) => {
    const word = (index: number) => memory.readBigUInt64LE(page + 8 * index);
    return [1, 2, 100, 510].every(
      (index) => word(index) === BigInt.asUintN(64, word(index - 1) + step),
    );
  };
  const found: number[] = [];
  for (let page = 0; page < memory.length && found.length < count; page += 4096) {
    if (isChecked(page)) found.push(page);
  }
  expect(found).toHaveLength(count);
  await using file = await open(memoryFile, "r+");
  for (const page of found) {
    await file.write(Buffer.of((memory[page + 1000] ?? 0) ^ 1), 0, 1, page + 1000);
  }
}
