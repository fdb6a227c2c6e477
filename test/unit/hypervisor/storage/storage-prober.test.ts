import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StorageProber } from "../../../../src/hypervisor/storage/storage-prober.ts";
import { temporaryFolder } from "../../migrator/support.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const nonce = "0123456789abcdef".repeat(2);
const answer = "fedcba9876543210".repeat(2);
const marker = { nonce, answer };
const at = (name: string) => join(folder.path, name);
const names = () => readdirSync(folder.path).toSorted();

describe("two hosts that look at one folder", () => {
  it("see each other's writing and locks, and nothing is left", async () => {
    const image = at("disk.img");
    writeFileSync(image, "data");
    using there = new StorageProber();
    {
      using here = new StorageProber();
      expect(await here.place([{ real: image, nonce }])).toEqual([
        { reason: null, isLocked: true },
      ]);
      const [seen] = await there.look([{ path: image, marker }]);
      expect(seen).toMatchObject({
        ...{ found: "file", size_bytes: 4, writable: true },
        marker: { seen: true, lock: "held", answer: "written" },
      });
      expect(await here.confirm([marker])).toEqual([true]);
      expect(await here.confirm([marker, { ...marker, answer: nonce }])).toEqual([true, false]);
      expect(names()).toEqual([
        ...[`.sojourn-check-${nonce}`, `.sojourn-check-${nonce}.lock`, "disk.img"],
      ]);
    }
    await expect.poll(names).toEqual(["disk.img"]);
    const [after] = await there.look([{ path: image, marker }]);
    expect(after?.marker).toMatchObject({ seen: false });
  });

  it("notice that a lock is not there", async () => {
    writeFileSync(at("disk.img"), "data");
    writeFileSync(at(`.sojourn-check-${nonce}`), `sojourn ${nonce}\n`);
    writeFileSync(at(`.sojourn-check-${nonce}.lock`), "");
    using prober = new StorageProber();
    const [seen] = await prober.look([{ path: at("disk.img"), marker }]);
    expect(seen?.marker).toEqual({ seen: true, lock: "free", answer: "written" });
  });

  it("take no link and no other content for a marker", async () => {
    writeFileSync(at("disk.img"), "data");
    writeFileSync(at("elsewhere"), `sojourn ${nonce}\n`);
    symlinkSync(at("elsewhere"), at(`.sojourn-check-${nonce}`));
    using prober = new StorageProber();
    const [seen] = await prober.look([{ path: at("disk.img"), marker }]);
    expect(seen?.marker?.seen).toBe(false);
  });

  it("remove what an earlier check left, and nothing younger", async () => {
    writeFileSync(at("disk.img"), "data");
    for (const name of ["old", "new"]) writeFileSync(at(`.sojourn-check-${name}`), "");
    utimesSync(at(".sojourn-check-old"), 1, 1);
    {
      using prober = new StorageProber();
      await prober.place([{ real: at("disk.img"), nonce }]);
    }
    await expect.poll(names).toEqual([".sojourn-check-new", "disk.img"]);
  });
});

it("what was written goes also when the daemon is killed in the middle", async () => {
  writeFileSync(at("disk.img"), "data");
  const program = join(import.meta.dirname, "placing-program.ts");
  const args = ["--no-warnings", program, at("disk.img"), nonce];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  expect(names()).toHaveLength(3);
  child.kill("SIGKILL");
  await expect.poll(names).toEqual(["disk.img"]);
});

describe("a path", () => {
  it("is a file, a device, something else, or nothing", async () => {
    writeFileSync(at("file"), "data");
    symlinkSync(at("file"), at("link"));
    mkdirSync(at("folder"));
    using prober = new StorageProber();
    const paths = [at("file"), at("link"), at("folder"), at("nothing"), at("file/below")];
    const found = await prober.look(paths.map((path) => ({ path })));
    expect(found.map(({ found: what }) => what)).toEqual([
      ...["file", "file", "other", "missing", "missing"],
    ]);
    expect(found[1]).toMatchObject({ real: at("file"), inode: found[0]?.inode });
  });

  it("has a digest, unless it cannot be read", async () => {
    writeFileSync(at("file"), "data");
    using prober = new StorageProber();
    expect(await prober.digest([at("file"), at("nothing")])).toEqual([
      {
        sha256: "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7",
        reason: null,
      },
      { sha256: null, reason: "ENOENT" },
    ]);
  });

  it("may lie where no marker can be written", async () => {
    mkdirSync(at("proc"));
    using prober = new StorageProber();
    const [placed] = await prober.place([{ real: "/proc/version", nonce }]);
    expect(placed?.reason).toMatch(/^E/);
    chmodSync(at("proc"), 0o700);
    expect(existsSync(`/proc/.sojourn-check-${nonce}`)).toBe(false);
  });
});
