import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { haltAt } from "./support/halted-migration.ts";
import { afterRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Journals that are full, torn or damaged. */
let fault: FaultLab;

const state = "/var/lib/sojourn";
const journal = `${state}/journal`;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-disks");
  await fault.openSession();
  await fault.rememberAway();
});

afterAll(() => fault?.[Symbol.asyncDispose]());

test("[rows 10] the journal's disk is full before the start: the migration does not begin", async () => {
  await using disk = await tinyDisk();
  await disk.fill();
  const { exitCode, last } = await fault.migrate("host-a", "host-b").ended;
  expect(last).toMatchObject({
    type: "error",
    message: expect.stringMatching(/ENOSPC|no space|is full/i),
  });
  expect([1, 3, 4]).toContain(exitCode);
  await disk[Symbol.asyncDispose]();
  await fault.expectHomeAndClean();
});

test("[rows 10] the journal's disk is full before the promise: the guest goes on at the source", async () => {
  await using disk = await tinyDisk();
  await using halted = await haltAt(fault, "host-a", afterRecord("pausing"));
  const { id, migration } = halted;
  await disk.fill();
  await halted.goOn();
  const { exitCode, last } = await migration.ended;
  expect(last).toMatchObject({ type: "error", guest_state: "running-at-source" });
  expect(exitCode).toBe(4);
  await disk[Symbol.asyncDispose]();
  expect(await fault.expectSettled(id)).toBe("home");
});

test("[rows 10] the journal's disk is full after the promise: the migration is completed, the alarm is in the log", async () => {
  await using disk = await tinyDisk();
  await using halted = await haltAt(fault, "host-a", afterRecord("promise"));
  const { id, migration } = halted;
  await disk.fill();
  await halted.goOn();
  await migration.ended.catch(() => {});
  expect(await fault.placeAt("host-b")).toEqual({ state: "running", host: "host-b" });
  expect(fault.lab.log("host-a")).toMatch(/ENOSPC/);
  await disk[Symbol.asyncDispose]();
  expect(await fault.expectSettled(id)).toBe("away");
});

test("[rows 9] a journal with a torn last record is cut and used", async () => {
  await fault.kill("host-a");
  await fault.run("host-a", [
    "sh",
    "-c",
    `printf '\\144\\000\\000\\000\\001\\002\\003\\004{"step":"pro' >> ${journal}`,
  ]);
  await fault.restart("host-a");
  const id = await fault.migrate("host-a", "host-b").phase("preparing");
  expect(await fault.expectSettled(id)).toBe("away");
});

test("[rows 9] a journal that is damaged in the middle stops automation, not the daemon and not the guest", async () => {
  await fault.kill("host-a");
  await fault.run("host-a", [
    "sh",
    "-c",
    `cp ${journal} /run/whole; printf X | dd of=${journal} bs=1 seek=20 conv=notrunc status=none`,
  ]);
  await fault.restart("host-a");
  await fault.expectSessionAlive();
  const shown = await fault.run("host-a", ["sojourn", "journal", "show"]);
  expect(shown).toContain("damage: damaged record at byte 8");
  expect(fault.lab.log("host-a")).toContain("alarm: the journal is damaged at byte 8");
  await fault.kill("host-a");
  await fault.run("host-a", ["sh", "-c", `cat /run/whole > ${journal}; rm /run/whole`]);
  await fault.restart("host-a");
  await fault.expectHomeAndClean();
});

/**
 * Puts host-a's state on a tmpfs of 1 MiB until it is disposed of. `fill` leaves no page free, and pads the journal
 * so that its last page takes no record either.
 */
async function tinyDisk(): Promise<AsyncDisposable & { fill(): Promise<void> }> {
  const shell = (script: string) => fault.run("host-a", ["sh", "-ec", script]);
  let mounted = true;
  // The daemon has to be away for the change of disks; that is no fault of this test.
  const counted = fault.injected;
  await fault.kill("host-a");
  await shell(
    `mkdir /run/tiny; mount -t tmpfs -o size=1m tmpfs /run/tiny; cp -a ${state}/. /run/tiny; mount --move /run/tiny ${state}`,
  );
  await fault.restart("host-a");
  fault.injected = counted;
  return {
    fill: async () => {
      fault.injected += 1;
      await shell(`dd if=/dev/zero of=${state}/filler bs=4k 2>/dev/null || true; ${padding}`);
    },
    [Symbol.asyncDispose]: async () => {
      if (!mounted) return;
      mounted = false;
      await shell(`rm -f ${state}/filler`);
      const before = fault.injected;
      await fault.kill("host-a");
      fault.injected = before;
      await shell(
        `mkdir /run/kept; cp -a ${state}/. /run/kept; umount ${state}; rm -rf ${state}/*; cp -a /run/kept/. ${state}; rm -rf /run/kept /run/tiny`,
      );
      await fault.restart("host-a");
    },
  };
}

/** Fills the journal's last page with the beginning of a long record: one that was not written to its end. */
const padding = `
room=$(( 4096 - $(stat -c %s ${journal}) % 4096 ))
[ $room -gt 8 ] || exit 0
printf '\\377\\377\\000\\000\\001\\002\\003\\004' >> ${journal}
head -c $(( room - 8 )) /dev/zero | tr '\\0' x >> ${journal}`;
