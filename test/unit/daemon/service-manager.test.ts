import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { takeNotifyRequest } from "../../../src/daemon/service-manager.ts";
import { receiveDatagrams } from "../../support/datagrams.ts";

const service = join(
  import.meta.dirname,
  "..",
  "..",
  "support",
  "programs",
  "notifying-service.ts",
);
const watchdogMs = 2_000;

describe("what the environment asks for", () => {
  test("nothing without a socket, and no watchdog for another process", () => {
    expect(takeNotifyRequest({}, 7)).toBeNull();
    expect(
      takeNotifyRequest({ NOTIFY_SOCKET: "relative", WATCHDOG_USEC: "1000000" }, 7),
    ).toBeNull();
    const request = (env: Record<string, string>) =>
      takeNotifyRequest({ NOTIFY_SOCKET: "/run/systemd/notify", ...env }, 7)?.watchdogMs;
    expect(request({})).toBeNull();
    expect(request({ WATCHDOG_USEC: "30000000" })).toBe(30_000);
    expect(request({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "7" })).toBe(30_000);
    expect(request({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" })).toBeNull();
    for (const usec of ["0", "-5", "1e9", "soon", "9".repeat(40)]) {
      expect(request({ WATCHDOG_USEC: usec })).toBeNull();
    }
  });

  test("processes that we start are not asked", () => {
    const env: NodeJS.ProcessEnv = {
      NOTIFY_SOCKET: "@x",
      WATCHDOG_USEC: "1",
      WATCHDOG_PID: "1",
      HOME: "/",
    };
    takeNotifyRequest(env, 1);
    expect(env).toEqual({ HOME: "/" });
  });
});

test("systemd is told that the service is ready, that its loop turns, not while it stands, and that it stops", async () => {
  await using datagrams = await receiveDatagrams();
  const { heard, instants } = datagrams;
  const child = spawn(process.execPath, ["--no-warnings", service], {
    stdio: "inherit",
    env: {
      ...process.env,
      NOTIFY_SOCKET: datagrams.socket,
      WATCHDOG_USEC: String(watchdogMs * 1000),
    },
  });
  using _child = { [Symbol.dispose]: () => void child.kill("SIGKILL") };
  expect(await heard("READY=1")).toContain(`MAINPID=${child.pid};STATUS=1 migration under way`);
  for (let times = 1; times <= 4; times += 1) await heard("WATCHDOG=1", times);
  const fed = instants("WATCHDOG=1");
  for (const [index, at] of fed.slice(1).entries()) {
    expect(at - (fed[index] ?? 0)).toBeLessThan(watchdogMs / 2);
  }

  child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = instants("WATCHDOG=1").length;
  await new Promise((resolve) => setTimeout(resolve, watchdogMs));
  expect(instants("WATCHDOG=1")).toHaveLength(before);
  child.kill("SIGCONT");
  await heard("WATCHDOG=1", before + 1);

  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await heard("STOPPING=1");
  expect(await exited).toEqual([0, null]);
});
