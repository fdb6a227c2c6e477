import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab, hosts } from "./support/fault-lab.ts";
import { randomInstants, wait } from "./support/instants.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** kill -9 of either daemon, or of both, at any instant of a migration under traffic. */
let fault: FaultLab;

/**
 * The sample of the test suite has one of each, from precopy on: a destination may wait half a minute, for the end of its
 * lease, when one dies while it prepares. scripts/faults makes thirty, from the beginning on.
 */
const isSample = !process.env.SOJOURN_FAULTS_ALL;
const kills = Number(process.env.SOJOURN_FAULT_KILLS ?? (isSample ? 3 : 30));
const seed = Number(process.env.SOJOURN_FAULT_SEED ?? 2009);

const firstPhase = isSample ? "precopy" : "preparing";
/** From there on a migration takes about this long here. */
const migrationMs = isSample ? 1_700 : 2_500;

const rowsOfSource = isSample ? "2, 4" : "1, 2, 4";
const victims = [["host-a"], ["host-b"], ["host-a", "host-b"]] as const;

const cases = randomInstants(seed, kills, migrationMs).map((atMs, index) => {
  const dying = victims[index % 3] ?? hosts;
  const rows = dying.length === 2 ? "7" : dying[0] === "host-a" ? rowsOfSource : "5, 6";
  return [
    `[rows ${rows}] ${dying.join(" and ")} killed ${atMs} ms after ${firstPhase} began`,
    dying,
    atMs,
  ] as const;
});

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test.each(cases)(
  "%s",
  async (_title, dying, atMs) => {
    // The daemons' own start, when they are killed while the guest stands, comes on top of the deadline.
    fault.allowFreeze(5_000);
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.phase(firstPhase);
    await wait(atMs);
    for (const host of dying) await fault.kill(host);
    await Promise.all(dying.map((host) => fault.restart(host)));
    const ending = await migration.ended.catch(() => null);
    const place = await fault.expectSettled(id);
    if (ending?.last.type === "report") expect(place).toBe("away");
  },
  120_000,
);
