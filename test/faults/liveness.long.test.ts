import { afterAll, beforeAll, expect, test } from "vitest";
import { cutLink, type cuts } from "./support/cut-links.ts";
import { FaultLab } from "./support/fault-lab.ts";
import type { FollowedMigration } from "./support/followed-migration.ts";
import { haltAt } from "./support/halted-migration.ts";
import { wait } from "./support/instants.ts";
import { afterRecord, beforeRecord, type CodePlace } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** A destination, or a link to it, that falls silent in each phase: who notices, and within which time. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-liveness");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

/** Two renewals without an answer, each waited for, and the beginning of the first. */
const leaseNoticeMs = 16_000;
/** A stream from which nothing comes. */
const standstillNoticeMs = 7_000;

const beforeArming: CodePlace = {
  text: "const hold = await context.network.hold();",
  condition: "true",
};

const backAtSource = { exitCode: 4, last: { type: "error", guest_state: "running-at-source" } };

test("[rows 18] preparing, the destination's daemon stands: the source takes back", async () => {
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.phase("preparing");
  await using _stopped = stop(fault.daemonOn("host-b"));
  await takesBackWithin(migration, leaseNoticeMs);
  await _stopped[Symbol.asyncDispose]();
  expect(await fault.expectSettled(id)).toBe("home");
});

test("[rows 18] preparing, the destination's daemon stands: cancel is obeyed at once", async () => {
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.phase("preparing");
  await using _stopped = stop(fault.daemonOn("host-b"));
  const askedMs = Date.now();
  await fault.run("host-a", ["sojourn", "cancel", id]);
  expect((await migration.ended).exitCode).toBe(6);
  expect(Date.now() - askedMs).toBeLessThan(6_000);
  await _stopped[Symbol.asyncDispose]();
  expect(await fault.expectSettled(id)).toBe("home");
});

test.each(["SIGSTOP", "SIGKILL"] as const)(
  "[rows 11, 14] preparing, the destination's QEMU gets %s: the source takes back",
  async (signal) => {
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.phase("preparing");
    const nodes = () => fault.qemuProcesses().map(({ node }) => node);
    await expect.poll(nodes, { timeout: 20_000, interval: 5 }).toContain("host-b");
    fault.signal(fault.qemuOn("host-b"), signal);
    await takesBackWithin(migration, 30_000);
    expect(await fault.expectSettled(id)).toBe("home");
  },
);

test("[rows 14] precopy, the destination's QEMU stands: the standstill is noticed", async () => {
  await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
  const migration = fault.migrate("host-a", "host-b");
  await migration.streaming();
  fault.signal(fault.qemuOn("host-b"), "SIGSTOP");
  // What the sockets hold goes on for a moment.
  const { last } = await takesBackWithin(migration, standstillNoticeMs + 10_000);
  expect(last).toMatchObject({ code: "SOJ_STREAM_STALLED" });
  await fault.expectHomeAndClean();
  await fault.setMigrationPolicy("host-a", "");
});

test("[rows 18] precopy, the destination's daemon stands: the source takes back", async () => {
  await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 8");
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.streaming();
  await using _stopped = stop(fault.daemonOn("host-b"));
  await takesBackWithin(migration, leaseNoticeMs);
  await _stopped[Symbol.asyncDispose]();
  expect(await fault.expectSettled(id)).toBe("home");
  await fault.setMigrationPolicy("host-a", "");
});

test("[rows 18] armed, the destination's daemon stands: the guest is not stopped", async () => {
  await using halted = await haltAt(fault, "host-a", beforeArming);
  const { id, migration } = halted;
  await using _stopped = stop(fault.daemonOn("host-b"));
  await halted.goOn();
  await takesBackWithin(migration, 3_000);
  expect(migration.hasSeen("stop")).toBe(false);
  await _stopped[Symbol.asyncDispose]();
  expect(await fault.expectSettled(id)).toBe("home");
});

test.each(["SIGSTOP", "SIGKILL"] as const)(
  "[rows 13, 14] promised, the destination's QEMU gets %s: its daemon says so, and the source goes on",
  async (signal) => {
    await using halted = await haltAt(fault, "host-a", afterRecord("promise"));
    const { id, migration } = halted;
    fault.signal(fault.qemuOn("host-b"), signal);
    await halted.goOn();
    expect(await migration.ended).toMatchObject(backAtSource);
    expect(await fault.expectSettled(id)).toBe("home");
  },
);

test("[rows 21] pre-switchover, the control link is cut: the destination runs the guest, the source does not", async () => {
  await using halted = await haltAt(fault, "host-a", beforeRecord("promise"));
  const { id, migration } = halted;
  {
    await using _cut = await cutLink(fault, "control");
    await halted.goOn();
    expect(await migration.ended).toMatchObject({ exitCode: 5, last: { guest_state: "unknown" } });
    expect(await fault.placeAt("host-b")).toEqual({ state: "running", host: "host-b" });
  }
  await fault.restart("host-a");
  expect(await fault.expectSettled(id)).toBe("away");
});

test("[rows 21] promised, the destination's daemon stands: the guest runs there when it goes on", async () => {
  // Only that daemon may let it run.
  fault.allowFreeze(null);
  await using halted = await haltAt(fault, "host-a", afterRecord("promise"));
  const { id, migration } = halted;
  await using _stopped = stop(fault.daemonOn("host-b"));
  await halted.goOn();
  expect(await migration.ended).toMatchObject({ exitCode: 5, last: { guest_state: "unknown" } });
  await _stopped[Symbol.asyncDispose]();
  await fault.restart("host-a");
  await fault.expectSettled(id);
});

const silences: [string, () => AsyncDisposable | Promise<AsyncDisposable>][] = [
  ["the destination's daemon stands", () => stop(fault.daemonOn("host-b"))],
  ["the destination's QEMU stands", () => stop(fault.qemuOn("host-b"))],
  ["the control link is cut", () => cut("control")],
  ["both links are cut", () => cut("both")],
];

test.each(silences)(
  "[rows 18, 22] verifying, %s for eight seconds: the migration is completed",
  async (what, silence) => {
    fault.allowFreeze(what.includes("QEMU") ? 11_000 : 3_000);
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.phase("verifying");
    {
      await using _silence = await silence();
      await wait(8_000);
    }
    expect((await migration.ended).exitCode).toBe(0);
    expect(await fault.expectSettled(id)).toBe("away");
  },
);

/** Stopped until it is disposed of. */
function stop(pid: number): AsyncDisposable {
  fault.signal(pid, "SIGSTOP");
  let stands = true;
  return {
    [Symbol.asyncDispose]: async () => {
      if (stands) fault.signal(pid, "SIGCONT");
      stands = false;
    },
  };
}

function cut(what: keyof typeof cuts): Promise<AsyncDisposable> {
  return cutLink(fault, what);
}

/** The guest is the source's again within `noticeMs`, and the user is told so. */
async function takesBackWithin(migration: FollowedMigration, noticeMs: number) {
  const sinceMs = Date.now();
  await migration.phase("rolling-back");
  expect(Date.now() - sinceMs).toBeLessThan(noticeMs);
  const ended = await migration.ended;
  expect(ended).toMatchObject(backAtSource);
  return ended;
}
