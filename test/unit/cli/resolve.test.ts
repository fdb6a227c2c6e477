import { afterEach, beforeEach, expect, test } from "vitest";
import type { DaemonServices, Decision } from "../../../src/daemon/services.ts";
import { fakeServices, resolutionWith } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

let services: DaemonServices;
let daemon: LocalDaemon;
let asked: Decision[];

beforeEach(async () => {
  asked = [];
  services = fakeServices({
    resolveMigration: async (_id, decision) => {
      asked.push(decision);
      return resolutionWith({ keep: decision.keep, confirmed: decision.confirm });
    },
  });
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const keepSource = ["resolve", "m1", "--keep", "source"];
const run = (...args: string[]) => runSojourn(args, { SOJOURN_SOCKET: daemon.socketPath });

test("prints what is known and what it would do, and decides nothing unasked", async () => {
  const { exitCode, stdout, stderr } = await run(...keepSource);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("SOJ_CONFIRMATION_NEEDED");
  expect(stdout).toContain("host-a: its process says paused");
  expect(stdout).toContain("the other host: no answer");
  expect(stdout).toContain("promise");
  expect(stdout).toContain("1. web1 goes on at host-a");
  expect(asked).toEqual([{ keep: "source", confirm: false }]);
  const programs = await run(...keepSource, "--json");
  expect(programs.exitCode).toBe(2);
  expect(JSON.parse(programs.stdout)).toMatchObject({ code: "SOJ_CONFIRMATION_NEEDED" });
});

test("a dry run ends there", async () => {
  const { exitCode, stdout } = await run(...keepSource, "--dry-run", "--json");
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ type: "resolution", confirmed: false });
  expect(asked).toHaveLength(1);
});

test("with --yes it decides and tells what became of the migration", async () => {
  const { exitCode, stdout } = await run(...keepSource, "--yes");
  expect(exitCode).toBe(0);
  expect(stdout).toContain("web1 is kept at the source; migration m1: rolled-back");
  expect(asked.at(-1)).toEqual({ keep: "source", confirm: true });
});

test("a refusal is exit code 3 with its reason, unconfirmed", async () => {
  services = fakeServices({
    resolveMigration: async (_id, decision) => {
      asked.push(decision);
      return resolutionWith({ refusal: "the destination has taken the guest over, in writing" });
    },
  });
  const { exitCode, stderr } = await run(...keepSource, "--yes");
  expect(exitCode).toBe(3);
  expect(stderr).toContain("taken the guest over, in writing [SOJ_RESOLVE_REFUSED]");
  expect(asked).toEqual([{ keep: "source", confirm: false }]);
});

test("a decision that is not done yet is exit code 5; wrong usage 2; an unknown id 3", async () => {
  const inDoubt = resolutionWith({ confirmed: true, status: resolutionWith({}).status });
  services = fakeServices({
    resolveMigration: async (_id, { confirm }) => (confirm ? inDoubt : resolutionWith({})),
  });
  expect((await run(...keepSource, "--yes")).exitCode).toBe(5);
  expect((await run("resolve", "m1", "--keep", "both")).exitCode).toBe(2);
  expect((await run("resolve", "m1")).exitCode).toBe(2);
  services = fakeServices();
  expect((await run("resolve", "m9", "--keep", "source", "--yes")).exitCode).toBe(3);
});
