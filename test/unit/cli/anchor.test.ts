import { afterEach, beforeEach, expect, test } from "vitest";
import type { Handover } from "../../../src/daemon/handover/schemas.ts";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import { fakeServices, handover } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

let services: DaemonServices;
let daemon: LocalDaemon;

beforeEach(async () => {
  services = fakeServices();
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const run = (...args: string[]) =>
  runSojourn(["anchor", ...args], { SOJOURN_SOCKET: daemon.socketPath });

/** What a daemon tells, one look after another. */
function telling(...states: Handover["state"][]): void {
  let looks = 0;
  services = fakeServices({
    showHandover: async () => {
      const state = states[Math.min(looks, states.length - 1)] ?? "done";
      looks += 1;
      return { ...handover, state, error: { code: "SOJ_PEER_UNREACHABLE", message: "no answer" } };
    },
  });
}

test("a handover is followed to its end; with --json its last line is the result", async () => {
  telling("preparing", "switching", "done");
  const { exitCode, stdout } = await run("handover", "--to", "anchor-b", "--json");
  expect(exitCode).toBe(0);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { type: "progress", state: "preparing" },
    { type: "progress", state: "switching" },
    { type: "handover", state: "done", to: "anchor-b" },
  ]);
});

test("one that was undone says why, with exit code 4", async () => {
  telling("undoing", "undone");
  const { exitCode, stdout } = await run("handover", "--to", "anchor-b");
  expect(exitCode).toBe(4);
  expect(stdout).toContain("host-a has kept 1 guest's address");
  expect(stdout).toContain("no answer [SOJ_PEER_UNREACHABLE]");
});

test("a dry run and the last one are told", async () => {
  const planned = await run("handover", "--to", "anchor-b", "--dry-run");
  expect(planned.stdout).toBe(
    "host-a can hand 1 guest's address over to anchor-b:\n  web1 (10.101.0.10), at host-b\n",
  );
  expect((await run("show")).stdout).toContain("anchor-b has 1 guest's address of host-a's");
  expect((await run("handover")).exitCode).toBe(2);
});
