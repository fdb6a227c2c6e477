import { afterAll, beforeAll, expect, test } from "vitest";
import type { JournalStep } from "../../src/migrator/journal-record.ts";
import { type FaultLab, hosts } from "./support/fault-lab.ts";
import { randomInstants, wait } from "./support/instants.ts";
import {
  expectOneDomainRuns,
  killLibvirtd,
  type LibvirtFault,
  restartLibvirtd,
  testLibvirtFaults,
  upLibvirtLab,
} from "./support/libvirt-faults.ts";
import { afterRecord, beforeRecord } from "./support/pause-point.ts";
import { recordEachFault } from "./support/record-faults.ts";

/** Daemons and libvirtds of either host killed at every record of a libvirt domain's migration, and at any instant. */
let fault: FaultLab;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await upLibvirtLab("fault-libvirt");
});

afterAll(() => fault?.[Symbol.asyncDispose]());

type Host = (typeof hosts)[number];

const recorded: [Host, JournalStep][] = [
  ["host-b", "prepared"],
  ["host-a", "pausing"],
  ["host-a", "promise"],
  ["host-b", "takeover"],
  ["host-a", "taken-over-by-destination"],
  ["host-b", "finished"],
  ["host-a", "completed"],
];

const dying: [string, Pick<LibvirtFault, "daemons" | "libvirtds">][] = [
  ["host-a's daemon", { daemons: ["host-a"] }],
  ["host-b's daemon", { daemons: ["host-b"] }],
  ["both daemons", { daemons: hosts }],
  ["host-a's libvirtd", { libvirtds: ["host-a"] }],
  ["host-b's libvirtd", { libvirtds: ["host-b"] }],
  ["both libvirtds", { libvirtds: hosts }],
  ["host-a's daemon and libvirtd", { daemons: ["host-a"], libvirtds: ["host-a"] }],
  ["host-b's daemon and libvirtd", { daemons: ["host-b"], libvirtds: ["host-b"] }],
];

testLibvirtFaults(
  () => fault,
  recorded.flatMap(([stands, step]) =>
    [beforeRecord(step), afterRecord(step)].flatMap((at, index) =>
      dying.map(([what, dead]): [string, LibvirtFault] => {
        const when = `${index === 0 ? "before" : "after"} the record ${step} of ${stands}`;
        return [`[rows 51] killed ${when}: ${what}`, { stands, at, ...dead }];
      }),
    ),
  ),
);

const anyInstant = randomInstants(51, 16, 3_000).map((atMs, index) => {
  const [what, dead] = dying[index % dying.length] as (typeof dying)[number];
  return [`[rows 51] killed after ${atMs} ms: ${what}`, dead, atMs] as const;
});

test.each(anyInstant)(
  "%s",
  async (_title, { daemons = [], libvirtds = [] }, atMs) => {
    fault.allowFreeze(15_000);
    const migration = fault.migrate("host-a", "host-b");
    const id = await migration.phase("preparing");
    await wait(atMs);
    for (const host of libvirtds) await killLibvirtd(fault, host);
    for (const host of daemons) await fault.kill(host);
    await Promise.all(libvirtds.map((host) => restartLibvirtd(fault, host)));
    await Promise.all(daemons.map((host) => fault.restart(host)));
    const ending = await migration.ended.catch(() => null);
    const place = await fault.expectSettled(id);
    await expectOneDomainRuns(fault, "home");
    if (ending?.last.type === "report") expect(place).toBe("away");
  },
  120_000,
);
