import { afterEach, describe, expect, test } from "vitest";
import { findDaemon } from "../../src/lab/daemon-process.ts";
import { demoLab, downLab, labNodePrefix, upLab } from "../../src/lab/index.ts";
import { footprintOf } from "./lab-support/footprint.ts";
import { run, sojourn, standIn } from "./lab-support/run.ts";

const lab = `sjtestd${process.pid}`;
const before = { ...footprintOf(lab), shared: [] };
// Any file will do where no guest is really booted.
const image = { kernel: sojourn, initrd: sojourn };
const on = (...args: string[]) => run([sojourn, "lab", ...args, "--lab", lab, "--json"]);

afterEach(async () => {
  await downLab(lab);
  expect(footprintOf(lab)).toEqual(before);
});

describe("daemons", () => {
  test("run one per host, are killed and restarted, and end with the lab", async () => {
    const up = await on("up", "--hosts", "2", "--guests", "0");
    expect(up.code, up.stdout + up.stderr).toBe(0);
    expect(JSON.parse(up.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({ state: "up" });
    const first = findDaemon(lab, "host-a");
    expect(first).not.toBeNull();
    expect(findDaemon(lab, "host-b")?.pid).not.toBe(first?.pid);

    expect(JSON.parse((await on("kill", "host-a")).stdout)).toMatchObject({ killed: true });
    expect(findDaemon(lab, "host-a")).toBeNull();
    expect(JSON.parse((await on("kill", "host-a")).stdout)).toMatchObject({ killed: false });
    const restarted = await on("restart", "host-a");
    expect(restarted.code, restarted.stdout + restarted.stderr).toBe(0);
    expect((await on("restart", "client")).code).toBe(2);

    const daemonOfB = findDaemon(lab, "host-b");
    expect((await on("up", "--guests", "0")).code).toBe(0);
    expect(findDaemon(lab, "host-b")).toEqual(daemonOfB);
  });

  test("that do not start are reported with the end of their log", async () => {
    using program = standIn("broken");
    await expect(
      upLab({ lab, hosts: 1, guests: 0, program: program.program }),
    ).rejects.toMatchObject({
      code: "SOJ_LAB_DAEMON_START",
      message: expect.stringContaining("this is the stand-in that never does"),
    });
  });
});

describe("guests", () => {
  test("are started once and waited for from the client", async () => {
    using program = standIn("good");
    const options = { lab, hosts: 1, program: program.program, image };
    const summary = await upLab(options);
    expect(summary.guests).toEqual([{ name: "web1", address: "10.1.0.10", host: "host-a" }]);
    expect((await upLab(options)).guests).toHaveLength(1);
    const definition = await run([
      ...labNodePrefix(lab, "host-a"),
      "cat",
      "/etc/sojourn/guests/web1.toml",
    ]);
    expect(definition.stdout).toContain("sojourn.address=10.1.0.10/24 sojourn.gateway=10.1.0.1");
  });

  test("without an image nothing is built", async () => {
    const missing = await on("up", "--guest-kernel", "/no/such/kernel");
    expect(missing.code).toBe(3);
    expect(JSON.parse(missing.stdout)).toMatchObject({ code: "SOJ_LAB_IMAGE_MISSING" });
    expect((await on("up", "--hosts", "9")).code).toBe(2);
    expect((await on("up", "--memory", "64")).code).toBe(2);
    expect((await on("up", "--guest-overlay", "/no/such/folder")).code).toBe(2);
  });
});

describe("demo", () => {
  const demo = { lab, image, keep: false, json: true, explain: () => {} };

  test("returns the migration's exit code and removes the lab", async () => {
    using program = standIn("good");
    expect(await demoLab({ ...demo, program: program.program })).toBe(4);
    expect(footprintOf(lab)).toEqual(before);
  });

  test("keeps the lab when asked, and one that was up before", async () => {
    using program = standIn("good");
    await demoLab({ ...demo, program: program.program, keep: true });
    expect(footprintOf(lab).namespaces).toHaveLength(4);
    await demoLab({ ...demo, program: program.program });
    expect(footprintOf(lab).namespaces).toHaveLength(4);
  });

  test("cleans up when it is interrupted in the middle of the migration", async () => {
    using program = standIn("slow");
    const script = new URL("./lab-support/demo.ts", import.meta.url).pathname;
    let interrupted = false;
    const ended = await run([process.execPath, script, lab, program.program, sojourn], {
      onOutput: (text, kill) => {
        if (interrupted || !text.includes("preparing")) return;
        interrupted = true;
        kill("SIGINT");
      },
    });
    expect(ended).toMatchObject({
      code: 6,
      stdout: expect.stringContaining("SOJ_LAB_INTERRUPTED"),
    });
    expect(footprintOf(lab)).toEqual(before);
  });
});
