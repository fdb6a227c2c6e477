import { expect, test } from "vitest";
import type { Journal } from "../../../src/migrator/journal.ts";
import { keptRedirect } from "../../../src/migrator/kept-redirect.ts";
import type { Migrations } from "../../../src/migrator/migrations.ts";
import { type GuestRecord, guestRecordSchema } from "../../../src/migrator/records.ts";
import { resumeSource } from "../../../src/migrator/resumption.ts";
import type { MigrationTask, SourceContext } from "../../../src/migrator/source-context.ts";
import { outgoingRecord, preparationOf } from "../../../src/migrator/source-preparation.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { task } from "./example-task.ts";
import { aToB, hostA, recordOf } from "./support.ts";

const before = recordOf("web1", 10);
const limits = { idleTimeoutS: 30, capS: null, nameTtlS: 5, updatesName: true };
const renumbering: MigrationTask = { ...task, renumber: { address: "auto", ...limits } };
const facts = { before, resume: true, renumbered: "10.2.0.2" };
const context = { host: hostA };

test("the source asks for what was wished for, and stores what it was given", () => {
  expect(preparationOf(context, renumbering, facts).renumber).toBe("auto");
  expect(preparationOf(context, task, facts)).not.toHaveProperty("renumber");
  const { outgoing } = outgoingRecord(context, renumbering, facts);
  expect(outgoing.renumbering).toEqual({ renumbered: "10.2.0.2", ...limits });
  const plain = outgoingRecord(context, task, { ...facts, renumbered: null });
  expect(plain.outgoing).not.toHaveProperty("renumbering");
});

test("the redirect drains as the stored record says, whoever reads it", () => {
  const stored = guestRecordSchema.parse(
    JSON.parse(JSON.stringify(outgoingRecord(context, renumbering, facts))),
  );
  const redirect = keptRedirect(stored, "host-b");
  expect(redirect).toMatchObject({ host: "host-b", tunnel: aToB });
  expect(redirect?.drain).toEqual({
    ...{ migration: "m1", renumbered: "10.2.0.2", idleTimeoutS: 30, capS: null, nameTtlS: 5 },
    ...{ begunMs: expect.any(Number), nameUpdatedMs: null },
  });
  guestRecordSchema.parse({ ...before, redirect });
});

test("a name that hooks see to is updated from the beginning", () => {
  const byHooks = { ...renumbering, renumber: { address: "auto", ...limits, updatesName: false } };
  const redirect = keptRedirect(outgoingRecord(context, byHooks, facts), "host-b");
  expect(redirect?.drain?.nameUpdatedMs).toBe(redirect?.drain?.begunMs);
});

test("without another address the redirect does not drain", () => {
  const plain = outgoingRecord(context, task, { ...facts, renumbered: null });
  expect(keptRedirect(plain, "host-b")).toEqual({ host: "host-b", tunnel: aToB });
  expect(keptRedirect(before, "host-b")).toBeNull();
});

test("a restarted daemon goes on with the address that was given", () => {
  const record: GuestRecord = outgoingRecord(context, renumbering, facts);
  const resumed: MigrationTask[] = [];
  const migrations = { resume: (one: MigrationTask) => resumed.push(one) };
  const journal = { has: (_id: string, step: string) => step === "promise", append: () => {} };
  const guests = { instance: () => ({}), adopt: () => {} };
  const source = {
    ...{ guests, journal: journal as unknown as Journal, logger: createLogger("silent") },
    records: { putVolatile: () => {} },
  } as unknown as SourceContext;
  resumeSource(source, migrations as unknown as Migrations, record);
  expect(resumed).toMatchObject([{ id: "m1", renumber: { address: "10.2.0.2", ...limits } }]);
});
