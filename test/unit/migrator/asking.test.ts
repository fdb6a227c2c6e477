import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Inquiries } from "../../../src/migrator/inquiries.ts";
import { Journal } from "../../../src/migrator/journal.ts";
import { Notices } from "../../../src/migrator/notices.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import { supersede } from "../../../src/migrator/superseded.ts";
import { preconditionError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { aToB, bToA, hostA, recordOf, runningAtHome, temporaryFolder } from "./support.ts";

const identity = { id: "m1", guest: "web1", epoch: 2 };
const task = { ...identity, to: "host-b" };
const migration = { id: "m1", epoch: 2, role: "source", peer: "host-b", resume: true } as const;

let folder: { path: string } & Disposable;
let journal: Journal;
let records: Map<string, GuestRecord>;
let calls: { name: string; request: unknown }[];
/** Answers by procedure; what throws is an unreachable or refusing peer. */
let answers: Record<string, () => unknown>;

beforeEach(() => {
  vi.useFakeTimers();
  folder = temporaryFolder();
  journal = new Journal(`${folder.path}/journal`);
  records = new Map([["web1", { ...recordOf("web1", 10), epoch: 2, migration }]]);
  calls = [];
  answers = {};
});
afterEach(() => {
  vi.useRealTimers();
  journal[Symbol.dispose]();
  folder[Symbol.dispose]();
});

function contextOf(): SourceContext {
  const call = async (name: string, request: unknown) => {
    calls.push({ name, request });
    const answer = answers[name];
    if (answer === undefined) throw preconditionError("SOJ_PEER_UNREACHABLE", "silent");
    return answer();
  };
  const network = {
    forget: async (guest: string) => void records.delete(guest),
    change: async (record: GuestRecord) => void records.set(record.guest, record),
  };
  const ended: string[] = [];
  const guests = {
    instance: () => undefined,
    end: async (guest: string) => void ended.push(guest),
  };
  const logger = createLogger("silent");
  const parts = { host: hostA, guests, journal, records, logger, network, peer: () => ({ call }) };
  return parts as unknown as SourceContext;
}

const write = (
  step: "promise" | "undone" | "resolved-source" | "resolved-destination",
  epoch = 2,
) =>
  journal.append({ step, migration: "m1", guest: "web1", epoch, role: "source", peer: "host-b" });
const takenOver = () => ({ state: "taken-over", takeover_ms: null, resume_ms: null });

test("a silent destination is asked less and less often, until it answers: then the migration goes on, once", async () => {
  write("promise");
  const wentOn: string[] = [];
  using inquiries = new Inquiries(contextOf(), ({ guest }) => wentOn.push(guest));
  inquiries.begin(task);
  inquiries.begin(task);
  await vi.advanceTimersByTimeAsync(2_000 + 4_000 + 8_000 + 16_000 + 32_000 + 60_000);
  expect(calls).toHaveLength(6);
  expect(wentOn).toEqual([]);
  answers.settle = takenOver;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(wentOn).toEqual(["web1"]);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(calls).toHaveLength(7);
});

test("nobody is asked while it is suspended, after the daemon's end, or about a migration that is over", async () => {
  write("promise");
  answers.settle = takenOver;
  const wentOn: string[] = [];
  const inquiries = new Inquiries(contextOf(), ({ guest }) => wentOn.push(guest));
  inquiries.begin(task);
  await inquiries.suspend("m1");
  await vi.advanceTimersByTimeAsync(100_000);
  inquiries.begin(task);
  inquiries[Symbol.dispose]();
  inquiries.begin(task);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([calls, wentOn]).toEqual([[], []]);
  records.set("web1", recordOf("web1", 10));
  using others = new Inquiries(contextOf(), ({ guest }) => wentOn.push(guest));
  others.begin(task);
  await vi.advanceTimersByTimeAsync(100_000);
  expect([calls, wentOn]).toEqual([[], []]);
});

test("what needs no answer is gone on with by itself", async () => {
  const wentOn: string[] = [];
  using inquiries = new Inquiries(contextOf(), ({ guest }) => wentOn.push(guest));
  inquiries.begin(task);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([calls, wentOn]).toEqual([[], ["web1"]]);
});

test("a guest that went on at the source waits for no answer to have its network back", async () => {
  write("promise");
  write("undone");
  const wentOn: string[] = [];
  using inquiries = new Inquiries(contextOf(), ({ guest }) => wentOn.push(guest));
  inquiries.begin(task);
  await vi.advanceTimersByTimeAsync(2_000);
  expect([calls, wentOn]).toEqual([[], ["web1"]]);
});

test("a decision for the source is told until it is heard, with both epochs, also by the next daemon", async () => {
  write("resolved-source", 3);
  {
    using notices = new Notices(contextOf());
    notices.tell();
    await vi.advanceTimersByTimeAsync(5_000);
  }
  expect(calls.length).toBeGreaterThan(1);
  expect(journal.has("m1", "destination-told")).toBe(false);
  answers.supersede = () => ({ copy: "running" });
  using notices = new Notices(contextOf());
  notices.tell();
  notices.tell();
  await vi.advanceTimersByTimeAsync(1);
  expect(calls.at(-1)).toEqual({
    name: "supersede",
    request: { id: "m1", guest: "web1", epoch: 2, new_epoch: 3 },
  });
  expect(journal.has("m1", "destination-told")).toBe(true);
  expect(journal.untold()).toEqual([]);
});

test("a decision about a migration whose other host nobody knows any more is told to nobody", async () => {
  journal.append({
    step: "resolved-source",
    migration: "m1",
    guest: "web1",
    epoch: 3,
    role: "source",
  });
  using notices = new Notices(contextOf());
  notices.tell();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(calls).toEqual([]);
});

test.each([
  ["has taken over: it is told that the guest is its own", "taken-over", true],
  [
    "has nothing: the redirect to it goes, so that the guest can be started at home",
    "aborted",
    false,
  ],
])("a decision for the destination, which %s", async (_what, state, stays) => {
  write("resolved-destination");
  const away = { ...recordOf("web1", 10), redirect: { host: "host-b", tunnel: aToB } };
  records.set("web1", away);
  answers.settle = () => ({ ...takenOver(), state });
  answers.finish = () => ({});
  using notices = new Notices(contextOf());
  notices.tell();
  await vi.advanceTimersByTimeAsync(1);
  expect(calls.map(({ name }) => name)).toEqual(stays ? ["settle", "finish"] : ["settle"]);
  expect(records.has("web1")).toBe(stays);
  expect(journal.has("m1", "destination-told")).toBe(true);
});

test("a superseded copy ends, once; home leads the traffic to the source again", async () => {
  vi.useRealTimers();
  const home = {
    ...recordOf("web1", 10),
    epoch: 2,
    migration: { ...migration, role: "destination" },
  };
  const hosting = { stage: "landed", tableIndex: 0, homeTunnel: null, sourceTunnel: bToA } as const;
  records.set("web1", { ...home, hosting } as GuestRecord);
  const request = { ...identity, new_epoch: 3 };
  expect(await supersede(contextOf(), request)).toBe("none");
  expect(journal.has("m1", "superseded")).toBe(true);
  expect(records.get("web1")).toMatchObject({
    epoch: 3,
    hosting: null,
    migration: null,
    redirect: { host: "host-b", tunnel: bToA },
  });
  expect(await supersede(contextOf(), request)).toBe("none");
  expect(journal.recordsOf("m1")).toHaveLength(1);
});

test("a guest that is known under a newer epoch is not superseded", async () => {
  records.set("web1", { ...recordOf("web1", 10), epoch: 5 });
  await expect(supersede(contextOf(), { ...identity, new_epoch: 3 })).rejects.toMatchObject({
    code: "SOJ_STALE_EPOCH",
  });
  expect(journal.recordsOf("m1")).toEqual([]);
});

test("a guest that is here because of another migration is left alone", async () => {
  const hosting = runningAtHome;
  const here = { ...recordOf("web1", 10), hosting, migration: null };
  records.set("web1", here);
  const request = { id: "m9", guest: "web1", epoch: 8, new_epoch: 9 };
  expect(await supersede(contextOf(), request)).toBe("none");
  expect(records.get("web1")).toBe(here);
  expect(journal.recordsOf("m9")).toEqual([]);
});
