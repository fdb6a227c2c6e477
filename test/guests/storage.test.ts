import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { guestFiles } from "../../src/lab/guest-image.ts";
import { labPaths } from "../../src/lab/layout.ts";
import { runCommand } from "../../src/platform/command.ts";
import { daemonOf, rootOf } from "../support/daemon-of.ts";
import { TestLab } from "../support/lab.ts";
import { move } from "./support/moves.ts";

const images = "/run/images";
const image = `${images}/web1.img`;

/** Each host has a /run of its own: what is mounted there, or is not, is what a host sees of storage. */
describe("a guest with a disk", () => {
  let lab: TestLab;
  let shared: string;
  /** Null on a machine that has none to give. */
  let device: string | null = null;

  beforeAll(async () => {
    shared = mkdtempSync(join(tmpdir(), "sojourn-shared-"));
    for (const name of ["web1.img", "device.img"]) {
      writeFileSync(join(shared, name), Buffer.alloc(1024 * 1024));
    }
    device = await loopDevice(join(shared, "device.img"));
    lab = await TestLab.up(`storage${process.pid}`, ["--hosts", "2", "--guests", "0"]);
    await lab.run("host-a", ["mkdir", images]);
    await lab.run("host-a", ["mount", "--bind", shared, images]);
    const boot = join(shared, "vmlinuz");
    copyFileSync(guestFiles({}).kernel, boot);
    const definition = {
      ...{ name: "web1", memory_mib: 96, kernel: boot, initrd: guestFiles({}).initrd },
      append: "console=ttyS0 panic=-1 sojourn.address=10.1.0.10/24 sojourn.gateway=10.1.0.1",
      nics: [{ mac: "52:54:00:00:10:0a", addresses: ["10.1.0.10/24"], gateway: "10.1.0.1" }],
      disks: [
        { path: image, format: "raw", cache: "none" },
        ...(device === null ? [] : [{ path: device, format: "raw", shared: true }]),
      ],
    };
    const guests = join(labPaths(lab.name).node("host-a").etc, "guests");
    mkdirSync(guests, { recursive: true });
    writeFileSync(join(guests, "web1.toml"), stringify(definition));
    await daemonOf(lab.name, "host-a").startGuest("web1");
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    if (device !== null) await runCommand("losetup", ["--detach", device]);
    rmSync(shared, { recursive: true, force: true });
  });

  const plan = () => daemonOf(lab.name, "host-a").planMigration({ guest: "web1", to: "host-b" });
  const inHostB = (path: string) => join(rootOf(lab.name, "host-b"), path);

  /** Runs `work` while host-b has what `mount` mounts. */
  async function whileMounted(args: readonly string[], work: () => Promise<void>): Promise<void> {
    await lab.run("host-b", ["mount", ...args]);
    try {
      await work();
    } finally {
      await lab.run("host-b", ["umount", args.at(-1) ?? ""]);
    }
  }

  test("stays where it is when the other host lacks the image: exit code 3, guest untouched", async () => {
    const { exitCode, error } = await lab.migrate("host-a", "web1", "host-b", ["--no-probe"]);
    expect({ exitCode, error }).toMatchObject({
      exitCode: 3,
      error: {
        code: "SOJ_DISK_NOT_SHARED",
        message: `web1: disk 0 (${image}) is not on host-b`,
        guest_state: "untouched",
      },
    });
    const { state } = await daemonOf(lab.name, "host-a").showGuest("web1");
    expect(state).toBe("running");
  });

  test("is refused an image of its name on a disk of the other host", async () => {
    mkdirSync(inHostB(images));
    copyFileSync(join(shared, "web1.img"), inHostB(image));
    await expect(plan()).rejects.toMatchObject({
      code: "SOJ_DISK_NOT_SHARED",
      message: expect.stringContaining("is not seen on host-b (tmpfs)"),
    });
  });

  test("is refused a copy-on-write view of its storage", async () => {
    const [upper, work] = [inHostB("/run/upper"), inHostB("/run/work")];
    for (const folder of [upper, work]) mkdirSync(folder);
    const layers = `lowerdir=${shared},upperdir=/run/upper,workdir=/run/work`;
    await whileMounted(["-t", "overlay", "overlay", "-o", layers, images], async () => {
      await expect(plan()).rejects.toMatchObject({
        code: "SOJ_DISK_NOT_SHARED",
        message: expect.stringContaining("what host-b writes does not get to host-a"),
      });
    });
  });

  test("is refused another file that is mounted over its own", async () => {
    await whileMounted(["--bind", shared, images], async () => {
      writeFileSync(inHostB("/run/other.img"), Buffer.alloc(1024 * 1024));
      await whileMounted(["--bind", "/run/other.img", image], async () => {
        await expect(plan()).rejects.toMatchObject({
          code: "SOJ_DISK_NOT_SHARED",
          message: expect.stringContaining("is another file on host-b"),
        });
      });
    });
  });

  test("is refused storage that it could not write to", async () => {
    await whileMounted(["-o", "bind,ro", shared, images], async () => {
      await expect(plan()).rejects.toMatchObject({
        code: "SOJ_DISK_UNUSABLE",
        message: expect.stringContaining("cannot be written on host-b"),
      });
    });
  });

  test("is told which host has another kernel", async () => {
    writeFileSync(inHostB("/run/vmlinuz"), "another one");
    await whileMounted(["--bind", shared, images], async () => {
      await whileMounted(["--bind", "/run/vmlinuz", join(shared, "vmlinuz")], async () => {
        await expect(plan()).rejects.toMatchObject({
          code: "SOJ_BOOT_FILE",
          message: expect.stringMatching(
            /^web1: kernel \(.*\) is not the same: \d+ bytes on host-a, 11 on host-b$/,
          ),
        });
      });
    });
  });

  test("moves to a host that shares it, and leaves no marker there", async () => {
    await lab.run("host-b", ["mount", "--bind", shared, images]);
    expect(await plan()).toMatchObject({ warnings: [] });
    await move(lab, "host-a", "host-b");
    await expect
      .poll(() => readdirSync(shared).toSorted())
      .toEqual(["device.img", "vmlinuz", "web1.img"]);
  });
});

/** A block device of `file`'s content, which has no world-wide name, so that a definition has to vouch for it. */
async function loopDevice(file: string): Promise<string | null> {
  if (!existsSync("/dev/loop-control")) return null;
  return (await runCommand("losetup", ["--find", "--show", file])).stdout.trim();
}
