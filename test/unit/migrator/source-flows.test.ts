import { expect, it } from "vitest";
import { barrierAddressOf } from "../../../src/migrator/barrier-address.ts";
import { FlowCarrier } from "../../../src/migrator/flow-carrier.ts";
import { describeFlows } from "../../../src/migrator/flow-words.ts";
import type { MigrationFacts, MigrationTask } from "../../../src/migrator/source-context.ts";
import { carriable, completeFlows, mustComplete } from "../../../src/migrator/source-flows.ts";
import { Timeline } from "../../../src/migrator/timeline.ts";
import { createLogger } from "../../../src/platform/log.ts";
import type { GuestFlow } from "../../../src/routing/flows/flow-table.ts";
import { flowTuple, trackedFlow } from "../../support/tracked-flow.ts";

const never = new AbortController().signal;
const renumberTo = (address: string) => ({
  ...{ address, idleTimeoutS: 60, capS: null, nameTtlS: 0, updatesName: false },
});

it("carries what is the guest's: not the barrier's packets, nor what uses an address of this host's own", async () => {
  const guest = "10.1.0.10";
  const ping = (peer: string) =>
    trackedFlow({
      protocol: 1,
      state: null,
      original: flowTuple(peer, guest),
      reply: flowTuple(guest, peer),
    });
  const renumbered = trackedFlow({ original: flowTuple("192.0.2.2:40001", "10.2.0.77:7") });
  const tracked = [trackedFlow(), ping(barrierAddressOf("m1")), ping("192.0.2.2"), renumbered];
  const flows = await carriable(guest, tracked, "10.2.0.77");
  expect(flows.map(({ protocol, peer }) => [protocol, peer])).toEqual([
    [6, "192.0.2.2"],
    [1, "192.0.2.2"],
  ]);
});

it("goes on without flows that cannot be carried", async () => {
  const { task, facts } = bed({ send: async () => Promise.reject(new Error("no route")) });
  await completeFlows(task, facts, never);
  expect(facts.flows?.report).toMatchObject({ established: 1 });
});

it("does not go on without them where the guest is renumbered: before the promise, with the reason", async () => {
  const { task, facts } = bed({ send: async () => Promise.reject(new Error("no route")) });
  const moved = completeFlows({ ...task, renumber: renumberTo("auto") }, facts, never);
  await expect(moved).rejects.toMatchObject({
    ...{ code: "SOJ_FLOWS_NOT_CARRIED", retryable: true },
    message: expect.stringContaining("no route"),
  });
});

it("refuses to renumber a guest whose flows nobody tracks, or that the destination refuses altogether", async () => {
  const untracked = bed({ read: async () => null });
  await Promise.resolve();
  const task = { ...untracked.task, renumber: renumberTo("10.2.0.77") };
  expect(mustComplete(task, untracked.facts)).toBe(true);
  await expect(completeFlows(task, untracked.facts, never)).rejects.toMatchObject({
    code: "SOJ_FLOWS_NOT_CARRIED",
  });
  expect(mustComplete(untracked.task, untracked.facts)).toBe(false);

  const refused = { UNTRACKED: 1 };
  const full = bed({ send: async () => ({ installed: 0, present: 0, refused }) });
  await expect(completeFlows(task, full.facts, never)).rejects.toMatchObject({
    code: "SOJ_FLOWS_NOT_CARRIED",
  });
});

it("ends the waiting when the migration is given up", async () => {
  const { task, facts } = bed({ read: () => new Promise(() => {}) });
  const over = new AbortController();
  const completed = completeFlows(task, facts, over.signal);
  over.abort(new Error("cancelled"));
  await expect(completed).rejects.toThrow("cancelled");
});

it("says in one line what became of them", () => {
  const all = { established: 3, survived: 3, carried: 20_000, carry_ms: 312.4 };
  expect(describeFlows(all)).toBe("3 of 3 established flows survived, 20 000 carried in 312 ms");
  expect(describeFlows({ established: 2, survived: 1 })).toBe("1 of 2 established flows survived");
  expect(
    describeFlows({ established: 2, survived: null, carried: 0, refused: { ENOMEM: 1_234 } }),
  ).toBe("2 established flows, not known how many survived, 0 carried, 1 234 refused (ENOMEM)");
});

it("does not wait again for what took a stream before, but for what is under way", async () => {
  let reads = 0;
  const slow = bed({
    read: async () => {
      reads += 1;
      return [];
    },
  });
  slow.facts.flowsTookTheStream = true;
  await completeFlows(slow.task, slow.facts, never);
  expect(reads).toBe(1);
  slow.facts.flowsTookTheStream = false;
  await completeFlows(slow.task, slow.facts, never);
  expect(reads).toBe(2);
});

function bed(changes: Partial<ConstructorParameters<typeof FlowCarrier>[0]>) {
  const flow: GuestFlow = {
    ...{ protocol: 6, direction: "in", peer: "192.0.2.2", peerPort: 1, guestPort: 7, icmp: null },
    ...{ state: "ESTABLISHED", replied: true, assured: true, timeoutS: 9, windowScale: null },
  };
  const flows = new FlowCarrier({
    read: async () => [flow],
    send: async (some) => ({ installed: some.length, present: 0, refused: {} }),
    askReset: null,
    instance: { onEvent: () => () => {} },
    logger: createLogger("silent"),
    ...changes,
  });
  flows.begin();
  const facts = { flows, timeline: new Timeline(() => {}) } as unknown as MigrationFacts;
  const task = { guest: "web1", to: "host-b", deadlineMs: 60_000 } as MigrationTask;
  return { task, facts };
}
