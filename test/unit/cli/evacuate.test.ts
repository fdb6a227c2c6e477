import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import type { Evacuation } from "../../../src/client/index.ts";
import type { DaemonServices } from "../../../src/daemon/services.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { host } from "../../support/fake-inventory.ts";
import { fakeServices, maintenance } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { finished, runSojourn, said, spawnSojourn } from "../../support/sojourn-process.ts";
import { evacuatedGuest, evacuationWith } from "./evacuations.ts";

let services: DaemonServices;
let daemon: LocalDaemon;

beforeEach(async () => {
  services = fakeServices();
  daemon = await startLocalDaemon(() => services);
});
afterEach(() => daemon[Symbol.asyncDispose]());

const environment = () => ({ SOJOURN_SOCKET: daemon.socketPath });
const run = (...args: string[]) => runSojourn(args, environment());
const linesOf = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

const moved = { state: "moved", migration: "m1", blackout_ms: 24.1 } as const;
const over = { state: "completed", ended_ms: 1_767_225_612_340 } as const;

/** A daemon that tells this, one look after another. */
function telling(...looks: Evacuation[]): { asked: unknown[]; cancelled: unknown[] } {
  const told = { asked: [] as unknown[], cancelled: [] as unknown[] };
  let next = 0;
  services = fakeServices({
    startEvacuation: async (host, request) => {
      told.asked.push([host, request]);
      return evacuationWith();
    },
    getEvacuation: async () => looks[Math.min(next++, looks.length - 1)] ?? evacuationWith(),
    cancelEvacuation: async (id, how) => {
      told.cancelled.push([id, how]);
      looks = [evacuationWith({ ...over, state: "cancelled", guests: [] })];
      return evacuationWith();
    },
  });
  return told;
}

test("a host is emptied as it was asked for, and followed; with --json the last line is the evacuation", async () => {
  const end = evacuationWith({ ...over, guests: [evacuatedGuest("web1", moved)] });
  const { asked } = telling(evacuationWith(), evacuationWith(), end);
  const options = ["--parallel", "4", "--per-link", "2", "--policy", "finish", "--guest-share"];
  const { exitCode, stdout } = await run(
    ...["evacuate", "host-a", "--to", "host-b", "host-c", ...options, "30"],
    ...["--timeout", "60", "--max-outage", "100ms", "--json"],
  );
  expect(exitCode).toBe(0);
  expect(asked).toEqual([
    [
      "host-a",
      {
        ...{ to: ["host-b", "host-c"], parallel: 4, parallel_per_link: 2, policy: "finish" },
        ...{ guest_share: 30, timeout_s: 60, max_outage_ms: 100 },
      },
    ],
  ]);
  expect(linesOf(stdout)).toMatchObject([
    { type: "evacuation-guest", id: "e1", guest: "web1", state: "migrating" },
    { type: "evacuation-guest", id: "e1", guest: "web1", state: "moved", blackout_ms: 24.1 },
    { type: "evacuation", id: "e1", state: "completed", guests: [{ guest: "web1" }] },
  ]);
});

test("whoever did not move is told with the reason, and the exit code is that of the worst", async () => {
  const error = { code: "SOJ_DENIED_BY_GATE", message: "gate x: no", hint: "ask x", exit_code: 4 };
  const guests = [
    evacuatedGuest("web1", moved),
    evacuatedGuest("db", { state: "failed", migration: "m2", error }),
  ];
  telling(evacuationWith({ ...over, state: "incomplete", guests }));
  services = { ...services, showHost: async () => ({ ...host, maintenance: true }) };
  const { exitCode, stdout } = await run("evacuate", "host-a", "--to", "host-b,host-c");
  expect(exitCode).toBe(4);
  expect(stdout).toContain("evacuation e1: host-a to host-b, host-c\n");
  expect(stdout).toContain("web1: moved to host-b, blackout 24.1 ms\n");
  expect(stdout).toContain("db: failed: gate x: no [SOJ_DENIED_BY_GATE]\n");
  expect(stdout).toContain("incomplete after 12.3 s; 1 of 2 guests moved, 1 failed\n");
  expect(stdout).toMatch(/\n {2}ask x\nhost-a stays in maintenance until.*\n$/);
});

test("before the host is switched off, its reader is told whom that cuts off", async () => {
  telling(evacuationWith({ ...over, guests: [evacuatedGuest("web1", moved)] }));
  const status = { ...maintenance, on: true, guests: [], home_of: ["web1"] };
  services = { ...services, showMaintenance: async () => status };
  const { stderr, exitCode } = await run("evacuate", "host-a", "--to", "host-b", "--max-outage=20");
  expect(stderr).toContain("warning: host-a is still the home of web1: their traffic passes it");
  expect(stderr).toContain("web1 stood for 24.1 ms, longer than the budget of 20 ms");
  expect(exitCode).toBe(8);
});

test("whoever watches it is told of the budget that it was begun with", async () => {
  const guests = [evacuatedGuest("web1", moved)];
  telling(evacuationWith({ ...over, max_outage_ms: 20, guests }));
  const { stderr, exitCode } = await run("evacuation", "watch", "e1");
  expect(stderr).toContain("web1 stood for 24.1 ms, longer than the budget of 20 ms");
  expect(exitCode).toBe(8);
});

test.each<{ how: string[] }>([{ how: [] }, { how: ["--detach"] }, { how: ["--dry-run"] }])(
  "--post-copy says what it risks: $how",
  async ({ how }) => {
    const { asked } = telling(evacuationWith({ ...over, guests: [] }));
    const { stderr } = await run("evacuate", "host-a", "--to", "host-b", "--post-copy", ...how);
    expect(stderr).toContain("with --post-copy a guest is lost if");
    const wanted = ["host-a", { to: ["host-b"], post_copy: true }];
    expect(asked).toEqual(how.includes("--dry-run") ? [] : [wanted]);
  },
);

describe("an interrupted command", () => {
  const interrupted = async (...args: string[]) => {
    const told = telling(evacuationWith());
    const child = spawnSojourn(["evacuate", "host-a", "--to", "host-b", ...args], environment());
    const ended = finished(child);
    await said(child, "web1: migrates");
    child.kill("SIGINT");
    return { ...told, ...(await ended) };
  };

  it("leaves the evacuation to go on, and says how to follow or cancel it", async () => {
    const { cancelled, exitCode, stderr } = await interrupted();
    expect(cancelled).toEqual([]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("evacuation e1 goes on without this command [SOJ_DETACHED]");
    expect(stderr).toContain("sojourn evacuation watch e1");
    expect(stderr).toContain("sojourn evacuation cancel e1");
  });

  it("with --abort-on-exit cancels it, with what is under way, and tells its end", async () => {
    const { cancelled, exitCode, stdout } = await interrupted("--abort-on-exit");
    expect(cancelled).toEqual([["e1", { running: true }]]);
    expect(exitCode).toBe(6);
    expect(stdout).toContain("evacuation e1 of host-a: cancelled");
  });
});

test("a restart of the daemon is waited for without a word", async () => {
  telling(evacuationWith());
  const child = spawnSojourn(["evacuation", "watch", "e1"], environment());
  const ended = finished(child);
  await said(child, "web1: migrates");
  await daemon.stop();
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  telling(evacuationWith({ ...over, guests: [evacuatedGuest("web1", moved)] }));
  await daemon.start();
  const { exitCode, stdout, stderr } = await ended;
  expect(stderr).toBe("");
  expect(exitCode).toBe(0);
  expect(stdout).toContain("web1: moved to host-b");
});

test("--detach prints the id, --dry-run the plan with exit code 3 when not all have a place", async () => {
  expect((await run("evacuate", "host-a", "--to", "host-b", "--detach")).stdout.trim()).toBe(
    (await services.startEvacuation(null, { to: ["host-b"] })).id,
  );
  const possible = await run("evacuate", "host-a", "--to", "host-b", "--dry-run");
  expect(possible).toMatchObject({ exitCode: 0 });
  expect(possible.stdout).toContain("DESTINATION");
  const plan = await services.planEvacuation(null, { to: ["host-b"] });
  const error = { code: "SOJ_EVACUATION_NO_ROOM", message: "no room", hint: null, exit_code: 3 };
  const guests = plan.guests.map((guest) => ({ ...guest, to: null, error }));
  services = fakeServices({ planEvacuation: async () => ({ ...plan, guests }) });
  const impossible = await run("evacuate", "host-a", "--to", "host-b", "--dry-run", "--json");
  expect(impossible.exitCode).toBe(3);
  expect(linesOf(impossible.stdout)).toMatchObject([
    { type: "evacuation-plan", guests: [{ error: { code: "SOJ_EVACUATION_NO_ROOM" } }] },
  ]);
});

describe("what a user meets", () => {
  it.each([
    ["an unknown host", "SOJ_HOST_UNKNOWN", 404],
    ["a host that does not answer", "SOJ_PEER_UNREACHABLE", 503],
    ["one that is emptied already", "SOJ_EVACUATION_RUNNING", 409],
  ] as const)("%s is an error with what to do", async (_, code, httpStatus) => {
    services = fakeServices({
      startEvacuation: async () => {
        throw preconditionError(code, "what happened", { httpStatus, hint: "do this" });
      },
    });
    const { exitCode, stderr } = await run("evacuate", "host-z", "--to", "host-b");
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`error: what happened [${code}]\nhint: do this`);
  });

  it.each([
    [["evacuate", "host-a"], "--to"],
    [["evacuate", "../x", "--to", "host-b"], "../x"],
    [["evacuate", "host-a", "--to", "host-b,host-b"], "twice"],
    [["evacuate", "host-a", "--to", "host-b", "--parallel", "0"], "1 to 16"],
    [["evacuate", "host-a", "--to", "host-b", "--detach", "--abort-on-exit"], "contradicts"],
    [["evacuation", "show", "a b"], "a b"],
  ])("%j is refused before anybody is asked", async (args, told) => {
    const { exitCode, stderr } = await run(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(told);
  });
});

test("sojourn evacuation lists, shows and cancels", async () => {
  const asked: unknown[] = [];
  const one = evacuationWith({ ...over, guests: [evacuatedGuest("web1", moved)] });
  services = fakeServices({
    listEvacuations: async (host) => {
      asked.push(host);
      return [one];
    },
    getEvacuation: async () => one,
    cancelEvacuation: async (id, how) => {
      asked.push([id, how]);
      return one;
    },
  });
  const [list, remote, shown, cancelled] = await Promise.all([
    run("evacuation", "ls"),
    run("evacuation", "ls", "--host", "host-b", "--json"),
    run("evacuation", "show", "e1"),
    run("evacuation", "cancel", "e1", "--running"),
    run("evacuation", "cancel", "e1"),
  ]);
  expect(list.stdout).toMatch(/^e1 +host-a +host-b,host-c +completed/m);
  expect(linesOf(remote.stdout)).toEqual([[one]]);
  expect(shown.stdout).toMatch(/^web1 +host-b +moved/m);
  expect(cancelled.exitCode).toBe(0);
  expect(asked).toHaveLength(4);
  expect(asked).toEqual(
    expect.arrayContaining([null, "host-b", ["e1", { running: true }], ["e1", { running: false }]]),
  );
});
