import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { randomInstants, wait } from "./support/instants.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** People who change their mind, lose patience, or ask twice. */
let fault: FaultLab;

/** The sample of the test suite; scripts/faults takes all twenty. */
const cancels = process.env.SOJOURN_FAULTS_ALL ? 20 : 1;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.shared();
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

test.each([
  ["Ctrl-C", false],
  ["kill -9", true],
] as const)(
  "[rows 45] with --abort-on-exit the migration ends with its command (%s)",
  async (_how, isKill) => {
    const migration = fault.migrate("host-a", "host-b", ["--abort-on-exit"]);
    const id = await migration.phase("preparing");
    fault.injected += 1;
    if (isKill) migration.kill();
    else migration.interrupt();
    if (!isKill) {
      expect(await migration.ended).toMatchObject({
        exitCode: 6,
        last: { code: "SOJ_CANCELLED", id },
      });
    }
    await expect.poll(() => fault.stateAt("host-a", id), { timeout: 20_000 }).toBe("cancelled");
    expect(await fault.expectSettled(id)).toBe("home");
  },
);

test("[rows 25] asked again with the same idempotency key, also after the end and a kill -9: one migration", async () => {
  const key = ["--idempotency-key", "order-4711"];
  const first = fault.migrate("host-a", "host-b", key);
  const id = await first.phase("preparing");
  fault.injected += 2;
  const repeated = fault.migrate("host-a", "host-b", key);
  expect((await first.ended).last).toMatchObject({ type: "report", id });
  expect((await repeated.ended).last).toMatchObject({ type: "report", id });
  await fault.kill("host-a");
  await fault.restart("host-a");
  const late = await fault.migrate("host-a", "host-b", key).ended;
  expect(late).toMatchObject({ exitCode: 0, last: { type: "report", id } });
  expect(await fault.migrate("host-a", "host-b", [...key, "--timeout", "9"]).ended).toMatchObject({
    exitCode: 3,
    last: { code: "SOJ_IDEMPOTENCY_KEY_REUSED", id },
  });
  await fault.expectAway();
  // The guest's home passes the key on to the host where the guest is.
  const homewards = ["--idempotency-key", "order-4712"];
  const back = await fault.migrate("host-a", "host-a", homewards).ended;
  expect(back).toMatchObject({ exitCode: 0, last: { type: "report", outcome: "completed" } });
  expect((await fault.migrate("host-a", "host-a", homewards).ended).last).toMatchObject(back.last);
  expect((await fault.migrate("host-b", "host-a", homewards).ended).last).toMatchObject(back.last);
  await fault.expectHomeAndClean();
});

// The test suite has precopy.test.ts for this row.
if (process.env.SOJOURN_FAULTS_ALL) {
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
}
