import { readdir, readFile, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestEvent } from "../../src/hypervisor/hypervisor.ts";
import { createQemuHypervisor } from "../../src/hypervisor/qemu/qemu-hypervisor.ts";
import { runCommand } from "../../src/platform/command.ts";
import { eventNamed, firmwareGuest, QemuHost } from "../support/qemu-host.ts";

const guestOnTap = fileURLToPath(new URL("../support/guest-on-tap.ts", import.meta.url));

describe("a guest in QEMU", () => {
  let host: QemuHost;
  beforeEach(async () => {
    host = await QemuHost.create();
  });
  afterEach(() => host[Symbol.asyncDispose]());

  test("starts, stops, continues and quits; the events say when", async () => {
    const guest = await host.start();
    expect(await guest.runState()).toBe("running");
    const events: GuestEvent[] = [];
    const unlisten = guest.onEvent((event) => events.push(event));

    const stopped = eventNamed(guest, "STOP");
    await guest.stop();
    await stopped;
    expect(await guest.runState()).toBe("paused");
    const resumed = eventNamed(guest, "RESUME");
    await guest.cont();
    await resumed;
    expect(await guest.runState()).toBe("running");
    expect(events.map(({ name }) => name)).toEqual(["STOP", "RESUME"]);
    const [stop, resume] = events;
    expect(resume?.timestampMs).toBeGreaterThan(stop?.timestampMs ?? Number.NaN);
    expect(resume?.receivedMs).toBeGreaterThan(stop?.receivedMs ?? Number.NaN);
    expect(Math.abs(Date.now() - (stop?.timestampMs ?? 0))).toBeLessThan(60_000);
    unlisten();

    await guest.quit();
    expect(guest.isAlive()).toBe(false);
    await guest.ended;
    await expect(guest.runState()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
    await guest.quit();
  });

  test("its files are its own and for nobody else; console and log outlive it", async () => {
    const guest = await host.start();
    const folder = host.pathOf(guest, ".");
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(Number(await readFile(host.pathOf(guest, "qemu.pid"), "utf8"))).toBe(guest.pid);
    const arguments_ = await readFile(`/proc/${guest.pid}/cmdline`, "utf8");
    expect(arguments_.split("\0")).toContain("-sandbox");
    await guest.quit();
    await expect
      .poll(async () => (await readdir(folder)).sort())
      .toEqual(["console.log", "qemu.log"]);
  });

  test("only the latest ended processes keep their files", async () => {
    for (let round = 0; round < 5; round++) await (await host.start()).quit();
    const kept = await readdir(`${host.runDir}/guests/web1`);
    expect(kept.length).toBeLessThanOrEqual(4);
  });

  test("a second start of a running guest is refused", async () => {
    const guest = await host.start();
    await expect(host.start()).rejects.toMatchObject({ code: "SOJ_GUEST_RUNNING", exitCode: 3 });
    expect(await guest.runState()).toBe("running");
  });

  test("what QEMU refuses is said in its own words and nothing is left", async () => {
    const definition = firmwareGuest({ extra_arguments: ["-device", "no-such-device"] });
    await expect(host.start(definition)).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_START_FAILED",
      message: expect.stringContaining("'no-such-device' is not a valid device model name"),
    });
    expect(await readdir(`${host.runDir}/guests/web1`)).toEqual([]);
    expect(await host.hypervisor.findInstances()).toEqual([]);
  });

  test("each NIC needs a tap with a proper name that exists", async () => {
    const definition = firmwareGuest({ nics: [{ mac: "52:54:00:00:00:01" }] });
    const start = (...taps: string[]) =>
      host.hypervisor.start(
        definition,
        taps.map((tapName) => ({ tapName })),
      );
    await expect(start()).rejects.toMatchObject({ code: "SOJ_USAGE" });
    await expect(start("x,script=/bin/sh")).rejects.toMatchObject({ code: "SOJ_BAD_NAME" });
    await expect(start("sjt-none")).rejects.toMatchObject({ code: "SOJ_TAP_MISSING" });
  });

  test("is plugged into its tap", async () => {
    const definition = JSON.stringify(firmwareGuest({ nics: [{ mac: "52:54:00:00:00:01" }] }));
    const { stdout } = await runCommand(
      "unshare",
      ["--net", process.execPath, guestOnTap, host.runDir, definition],
      { timeoutMs: 20_000 },
    );
    expect(JSON.parse(stdout)).toEqual({
      before: "NO-CARRIER",
      during: "LOWER_UP",
      state: "running",
      after: "NO-CARRIER",
    });
  });

  test("a process that does not obey is killed after its grace", async () => {
    const guest = await host.start();
    process.kill(guest.pid, "SIGSTOP");
    await guest.quit(50);
    expect(guest.isAlive()).toBe(false);
  });

  test("a process that is killed by others fails what is pending", async () => {
    const guest = await host.start();
    const waiting = eventNamed(guest, "NEVER");
    process.kill(guest.pid, "SIGSTOP");
    const pending = guest.runState();
    process.kill(guest.pid, "SIGKILL");
    await expect(pending).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
    await expect(waiting).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
    await guest.ended;
  });

  test("says which QEMU and accelerator there is", async () => {
    const { version, accelerator } = await host.hypervisor.capabilities();
    expect(version).toMatch(/^\d+\.\d+/);
    expect(["kvm", "tcg"]).toContain(accelerator);
  });

  test("a QEMU that is not there is an error that names it", async () => {
    const logger = pino({ level: "silent" });
    const qemuBinary = "/usr/bin/no-such-qemu";
    const hypervisor = createQemuHypervisor({ runDir: host.runDir, logger, qemuBinary });
    await expect(hypervisor.capabilities()).rejects.toMatchObject({
      code: "SOJ_COMMAND_FAILED",
      message: expect.stringContaining(qemuBinary),
    });
  });
});
