import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { randomInstants, wait } from "./support/instants.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** People who change their mind, lose patience, or ask twice. */
let fault: FaultLab;

/** The sample of the test suite; scripts/faults takes all twenty. */
const cancels = process.env.SOJOURN_FAULTS_ALL ? 20 : 4;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-cancel");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test.each(randomInstants(28, cancels, 900))(
  "[rows 28] cancelled at a random instant around the switchover (%i ms after precopy began): one truthful answer",
  async (atMs) => {
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.phase("precopy");
    await wait(atMs);
    fault.injected += 1;
    const [cancel, { exitCode, last }] = await Promise.all([
      fault.exec("host-a", ["sojourn", "cancel", id, "--json"]),
      migration.ended,
    ]);
    const isHome = (await fault.expectSettled(id)) === "home";
    expect(exitCode).toBe(isHome ? 6 : 0);
    expect(cancel.exitCode).toBe(isHome ? 0 : 3);
    if (isHome) expect(last).toMatchObject({ code: "SOJ_CANCELLED" });
    else {
      expect(last).toMatchObject({ type: "report", outcome: "completed" });
      expect(JSON.parse(cancel.stdout)).toMatchObject({ code: "SOJ_TOO_LATE" });
    }
  },
  120_000,
);

test("[rows 45] Ctrl-C ends the command, not the migration; watch attaches again and tells the outcome", async () => {
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.phase("preparing");
  fault.injected += 1;
  migration.interrupt();
  expect(await migration.ended).toMatchObject({ exitCode: 1, last: { code: "SOJ_DETACHED" } });
  expect(await fault.watch("host-a", id).ended).toMatchObject({
    exitCode: 0,
    last: { type: "report", outcome: "completed" },
  });
  expect(await fault.expectSettled(id)).toBe("away");
});

test("[rows 25] asked twice for the same move: the second is refused with the first one's id", async () => {
  const first = fault.migrate("host-a", "host-b");
  const id = await first.phase("precopy");
  fault.injected += 1;
  expect(await fault.migrate("host-a", "host-b").ended).toMatchObject({
    exitCode: 3,
    last: { type: "error", code: expect.stringMatching(/^SOJ_GUEST_(BUSY|NOT_RUNNING)$/) },
  });
  expect((await first.ended).exitCode).toBe(0);
  expect(await fault.expectSettled(id)).toBe("away");
});
