import { afterEach, beforeEach, expect, test } from "vitest";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import type { Retirement } from "../../../src/migrator/retirement-schema.ts";
import { fakeServices, retirementWith } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

let services: DaemonServices;
let daemon: LocalDaemon;
let confirmed: boolean[];

/** A daemon that describes a retirement so, and has it `state` once it is confirmed. */
function answering(described: Partial<Retirement>, state: Retirement["state"] = "retired"): void {
  confirmed = [];
  services = fakeServices({
    retireGuest: async (_name, { confirm }) => {
      confirmed.push(confirm);
      return retirementWith(confirm ? { ...described, state } : described);
    },
  });
}

beforeEach(async () => {
  answering({});
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const run = (...args: string[]) =>
  runSojourn(["retire", "web1", ...args], { SOJOURN_SOCKET: daemon.socketPath });

test("says whom it cuts off, and does it only when that is meant", async () => {
  const { exitCode, stdout, stderr } = await run();
  expect(exitCode).toBe(3);
  expect(stdout).toContain("192.0.2.2:40012");
  expect(stdout).toContain("10.1.0.10 would be free");
  expect(stderr).toContain("SOJ_RETIRE_CUTS");
  expect(stderr).toContain("sojourn retire web1 --yes");
  expect(confirmed).toEqual([false]);
  const lines = (await run("--json")).stdout.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { type: "retirement", state: "described", cut: [{ peer: "192.0.2.2:40012" }] },
    { type: "error", code: "SOJ_RETIRE_CUTS", exit_code: 3 },
  ]);
});

test("with --yes it is done, and the freed address told", async () => {
  const { exitCode, stdout } = await run("--yes", "--json");
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ type: "retirement", guest: "web1", host: "host-b", freed: "10.1.0.10" },
    ...{ renumbered: "10.2.0.50", reason: "by-hand", state: "retired" },
  });
  expect(confirmed).toEqual([false, true]);
  expect((await run("--yes")).stdout).toContain("10.1.0.10 is free at host-a");
});

test("where nobody is cut off nobody is asked", async () => {
  answering({ cut: [], cut_count: 0 });
  expect((await run()).exitCode).toBe(0);
  expect(confirmed).toEqual([false, true]);
});

test("a guest without another address is cut off from everybody, known flows or not", async () => {
  answering({ renumbered: null, cut: [], cut_count: 0 });
  const { exitCode, stdout } = await run();
  expect(exitCode).toBe(3);
  expect(stdout).toContain("only host-b and its guests reach it");
  answering({ cut: null, cut_count: null });
  const unknown = await run();
  expect([unknown.exitCode, unknown.stdout]).toEqual([3, expect.stringContaining("not known")]);
  expect(confirmed).toEqual([false]);
});

test("a dry run changes nothing and is no failure", async () => {
  const { exitCode, stdout } = await run("--dry-run", "--json");
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ state: "described" });
  expect(confirmed).toEqual([false]);
});

test("one whose host has not answered yet is exit code 5; one that is done already 0", async () => {
  answering({}, "retiring");
  const { exitCode, stderr } = await run("--yes");
  expect(exitCode).toBe(5);
  expect(stderr).toContain("SOJ_RETIRE_UNFINISHED");
  // It was meant already: neither "nothing was changed" nor another question.
  answering({ state: "retiring" }, "retiring");
  const again = await run();
  expect([again.exitCode, again.stderr]).toEqual([5, expect.stringContaining("UNFINISHED")]);
  answering({ state: "retired", cut: [], cut_count: 0 });
  expect((await run()).exitCode).toBe(0);
  expect(confirmed).toEqual([false]);
});
