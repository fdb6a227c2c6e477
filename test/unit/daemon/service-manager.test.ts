import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { takeNotifyRequest } from "../../../src/daemon/service-manager.ts";

const receiver = join(import.meta.dirname, "..", "..", "support", "programs", "datagrams.pl");
const service = join(
  import.meta.dirname,
  "..",
  "..",
  "support",
  "programs",
  "notifying-service.ts",
);
const watchdogMs = 1_200;

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
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), "sojourn-notify-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socket = join(folder, "notify");
  const { heard, heardAt } = await listen(stack, socket);
  const child = start(stack, process.execPath, ["--no-warnings", service], {
    NOTIFY_SOCKET: socket,
    WATCHDOG_USEC: String(watchdogMs * 1000),
  });
  expect(await heard("READY=1")).toContain(`MAINPID=${child.pid};STATUS=1 migration under way`);
  for (let fed = 1; fed <= 4; fed += 1) await heard("WATCHDOG=1", fed);
  const instants = heardAt("WATCHDOG=1");
  for (const [index, at] of instants.slice(1).entries()) {
    expect(at - (instants[index] ?? 0)).toBeLessThan(watchdogMs / 2);
  }

  child.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 200));
  const before = heardAt("WATCHDOG=1").length;
  await new Promise((resolve) => setTimeout(resolve, watchdogMs));
  expect(heardAt("WATCHDOG=1")).toHaveLength(before);
  child.kill("SIGCONT");
  await heard("WATCHDOG=1", before + 1);

  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await heard("STOPPING=1");
  expect(await exited).toEqual([0, null]);
});

/** A real receiver of datagrams; Node has none. */
async function listen(stack: AsyncDisposableStack, socket: string) {
  const child = start(stack, "/usr/bin/perl", [receiver, socket], {});
  const lines: { text: string; atMs: number }[] = [];
  let notify = () => {};
  if (child.stdout === null) throw new Error("no output");
  createInterface({ input: child.stdout }).on("line", (text) => {
    lines.push({ text, atMs: performance.now() });
    notify();
  });
  const matching = (start: string) => lines.filter(({ text }) => text.startsWith(start));
  const heard = async (start: string, times = 1): Promise<string> => {
    for (;;) {
      const found = matching(start)[times - 1];
      if (found !== undefined) return found.text;
      await new Promise<void>((resolve) => {
        notify = resolve;
      });
    }
  };
  await heard("listening");
  return { heard, heardAt: (start: string) => matching(start).map(({ atMs }) => atMs) };
}

function start(
  stack: AsyncDisposableStack,
  program: string,
  args: readonly string[],
  env: Record<string, string>,
): ChildProcess {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  stack.defer(() => void child.kill("SIGKILL"));
  return child;
}
