import { afterAll, beforeAll, expect, test } from "vitest";
import type { JournalStep } from "../../src/migrator/journal-record.ts";
import { FaultLab, leaseMs } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { wait } from "./support/instants.ts";
import { afterRecord, beforeRecord, type CodePlace } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** A daemon that stands still for five seconds, as under a full disk, a debugger or a host without memory. */
let fault: FaultLab;

const stallMs = 5_000;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

interface Stall {
  host: "host-a" | "host-b";
  at: CodePlace;
  /** Five seconds unless it says otherwise. */
  forMs?: number;
  /** What the source's journal must not hold afterwards. */
  without?: JournalStep;
  /** True where only the daemon that stands could let the guest run. */
  holdsGuest: boolean;
}

const stalls: [string, Stall][] = [
  [
    "[rows 40] the source's daemon stalls in switchover, before the promise",
    { host: "host-a", at: beforeRecord("promise"), holdsGuest: true },
  ],
  [
    "[rows 40] the source's daemon stalls after migrate-continue",
    {
      host: "host-a",
      at: {
        text: "const unsubscribe = facts.instance.onEvent(",
        condition: "true",
      },
      holdsGuest: false,
    },
  ],
  [
    "[rows 40] the destination's daemon stalls before the takeover",
    { host: "host-b", at: beforeRecord("takeover"), holdsGuest: true },
  ],
  [
    "[rows 40] the destination's daemon stalls when the source is about to retire",
    { host: "host-b", at: afterRecord("finished"), holdsGuest: false },
  ],
];

const beyondLease: [string, Stall] = [
  "[rows 40] the source's daemon stalls between the stop and the promise until the destination's lease is over: it does not promise",
  {
    host: "host-a",
    at: { text: "facts.afterwards.hold();", condition: "true" },
    forMs: leaseMs + 5_000,
    without: "promise",
    holdsGuest: true,
  },
];
if (process.env.SOJOURN_FAULTS_ALL) stalls.push(beyondLease);

/** The sample of the test suite is the first. */
const chosen = process.env.SOJOURN_FAULTS_ALL ? stalls : stalls.slice(0, 1);

test.each(chosen)("%s", async (_title, { host, at, holdsGuest, forMs = stallMs, without }) => {
  if (holdsGuest) fault.allowFreeze(forMs + 3_000);
  await using halted = await haltAt(fault, host, at);
  const { id, migration } = halted;
  fault.injected += 1;
  await wait(forMs);
  await halted.goOn();
  const { exitCode } = await migration.ended;
  if (without !== undefined) expect(await fault.journaled(host, id)).not.toContain(without);
  expect(await fault.expectSettled(id)).toBe(exitCode === 0 ? "away" : "home");
});

if (process.env.SOJOURN_FAULTS_ALL) {
  test("[rows 40] both daemons are stopped in precopy for longer than the lease, and go on", async () => {
    await fault.setMigrationPolicy("host-a", "max_bandwidth_mbps = 16");
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.streaming();
    const daemons = [fault.daemonOn("host-a"), fault.daemonOn("host-b")];
    for (const pid of daemons) fault.signal(pid, "SIGSTOP");
    await wait(leaseMs + 5_000);
    for (const pid of daemons) fault.signal(pid, "SIGCONT");
    expect((await migration.ended).exitCode).toBe(0);
    expect(await fault.expectSettled(id)).toBe("away");
    await fault.setMigrationPolicy("host-a", "");
  });

  test("[rows 40] both daemons are stopped for five seconds in precopy, and go on", async () => {
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.phase("precopy");
    const daemons = [fault.daemonOn("host-a"), fault.daemonOn("host-b")];
    for (const pid of daemons) fault.signal(pid, "SIGSTOP");
    await wait(stallMs);
    for (const pid of daemons) fault.signal(pid, "SIGCONT");
    const { exitCode } = await migration.ended;
    expect(await fault.expectSettled(id)).toBe(exitCode === 0 ? "away" : "home");
  });
}
