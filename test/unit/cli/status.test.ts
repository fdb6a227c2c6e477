import { expect, test } from "vitest";
import type { MigrationDetail } from "../../../src/daemon/services.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { fakeServices, status } from "../../support/fake-services.ts";
import { startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";

test("sojourn status ID says why a migration did not complete", async () => {
  const denied = new SojournError("SOJ_DENIED_BY_GATE", "gate change-window: frozen", {
    ...{ exitCode: 4, hint: "ask again on Monday", guestState: "running-at-source" as const },
    migration: "m1",
  });
  const detail: MigrationDetail = { ...status, state: "rolled-back", error: denied.toRecord() };
  const services = fakeServices({ getMigration: async () => detail });
  await using daemon = await startLocalDaemon(() => services);
  const run = (...args: string[]) => runSojourn(args, { SOJOURN_SOCKET: daemon.socketPath });
  const { stdout, exitCode } = await run("status", "m1");
  expect(exitCode).toBe(0);
  expect(stdout.trimEnd().split("\n").slice(2)).toEqual([
    "SOJ_DENIED_BY_GATE: gate change-window: frozen",
    "ask again on Monday",
  ]);
  expect(JSON.parse((await run("status", "m1", "--json")).stdout)).toEqual(detail);
});
