import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { wait } from "./support/instants.ts";
import { afterRecord, beforeRecord, type CodePlace, PausePoint } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** A daemon that stands still for five seconds, as under a full disk, a debugger or a host without memory. */
let fault: FaultLab;

const stallMs = 5_000;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-stalls");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

interface Stall {
  host: "host-a" | "host-b";
  at: CodePlace;
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

/** The sample of the test suite is the first. */
const chosen = process.env.SOJOURN_FAULTS_ALL ? stalls : stalls.slice(0, 1);

test.each(chosen)("%s", async (_title, { host, at, holdsGuest }) => {
  if (holdsGuest) fault.allowFreeze(stallMs + 3_000);
  await using point = await PausePoint.set(fault, host, at);
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.phase("preparing");
  await point.reached;
  fault.injected += 1;
  await wait(stallMs);
  await point[Symbol.asyncDispose]();
  const { exitCode } = await migration.ended;
  expect(await fault.expectSettled(id)).toBe(exitCode === 0 ? "away" : "home");
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
