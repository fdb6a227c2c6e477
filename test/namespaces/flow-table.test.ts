import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { redirectMark } from "../../src/routing/desired.ts";
import type { FlowTable } from "../../src/routing/flows/flow-table.ts";
import { guestFlow } from "../../src/routing/flows/guest-flow.ts";
import type { TrackedFlow } from "../../src/routing/flows/tracked-flow.ts";
import { openFlowTableIn } from "../support/flow-table-in.ts";
import { anyGuestFlow, guestFlowOf } from "../support/guest-flows.ts";
import { createNamespace, type Namespace } from "../support/namespaces.ts";

const guest = "10.1.0.10";
const kept = { redirected: false };
const redirected = { redirected: true };
const session = guestFlowOf();
const installed = { installed: 1, present: 0, refused: {} };
const present = { installed: 0, present: 1, refused: {} };

let stack: AsyncDisposableStack;
let host: Namespace;
let table: FlowTable;
beforeEach(async () => {
  stack = new AsyncDisposableStack();
  host = stack.use(await createNamespace("flow-table"));
  table = stack.use(openFlowTableIn(host));
});
afterEach(() => stack.disposeAsync());

test("whether anything is tracked depends on what the host's rules ask for", async () => {
  expect(await table.isTracking()).toBe(false);
  await expect(table.read(guest)).rejects.toMatchObject({
    ...{ code: "SOJ_FLOWS_UNTRACKED", exitCode: 3 },
    hint: expect.stringContaining("nft 'table ip tracking {"),
  });
  await followHint();
  expect(await table.isTracking()).toBe(true);
  // The trial has left nothing.
  expect(await count()).toBe(0);
  await host.run("nft", [
    "add table ip raw; add chain ip raw o { type filter hook output priority raw; }; add rule ip raw o oifname lo notrack",
  ]);
  await table.install(guest, [session], kept);
  expect(await table.isTracking()).toBe(true);
  expect(await table.read(guest)).toHaveLength(1);
});

test("a flow of any protocol is installed, read and forgotten as it was", async () => {
  await followHint();
  const flows = fc
    .sample(anyGuestFlow, { numRuns: 300, seed: 7 })
    .map((flow, index) => ({ ...flow, peer: `192.0.${index >> 7}.${index & 127}` }))
    .map((flow) => ({ ...flow, assured: flow.assured && flow.replied, timeoutS: 86_400 }));
  expect(await table.install(guest, flows, kept)).toEqual({
    ...{ installed: 300, present: 0, refused: {} },
  });
  const read = await table.read(guest);
  const byPeer = (one: { peer: string }, other: { peer: string }) =>
    one.peer < other.peer ? -1 : 1;
  const told = read.map((flow) => guestFlow(guest, flow)).map(aged);
  expect(told.toSorted(byPeer)).toEqual(flows.map(aged).toSorted(byPeer));
  const { stdout } = await host.run("conntrack", ["-L", "-p", "sctp"]);
  expect(stdout).toMatch(/sctp +132 \d+ (ESTABLISHED|COOKIE_ECHOED) /);
  expect(await table.forget(read)).toBe(300);
  expect(await count()).toBe(0);
});

test("an entry that is there is the flow, whoever began it, and learns what it lacks", async () => {
  await followHint();
  await conntrack(
    "-I -p tcp -s 10.1.0.10 -d 192.0.2.2 --sport 7 --dport 40000 --state SYN_SENT -t 60 -m 5",
  );
  expect(await table.install(guest, [session], redirected)).toEqual(present);
  expect(await only()).toMatchObject({
    ...{ state: "ESTABLISHED", replied: true, assured: true, mark: redirectMark | 5 },
    original: { source: guest },
  });
  const earlier = { ...session, state: "SYN_RECV", timeoutS: 30, assured: false };
  expect(await table.install(guest, [earlier], kept)).toEqual(present);
  const { expiresS, ...flow } = await only();
  expect(flow).toMatchObject({ state: "ESTABLISHED", mark: redirectMark | 5, assured: true });
  expect(expiresS).toBeGreaterThan(1_000);
  const later = { ...session, state: "FIN_WAIT", timeoutS: 120 };
  expect(await table.install(guest, [later, later], kept)).toEqual({ ...present, present: 2 });
  expect(await only()).toMatchObject({ state: "FIN_WAIT" });
});

test("a translated entry is the flow at home, and makes way where the flow keeps its way through home", async () => {
  await followHint();
  const outward = guestFlowOf({ direction: "out", peerPort: 443, guestPort: 5_000 });
  await conntrack(
    "-I -p tcp -s 10.1.0.10 -d 192.0.2.2 --sport 5000 --dport 443 -r 192.0.2.2 -q 10.2.0.50 --reply-port-src 443 --reply-port-dst 5000 --state ESTABLISHED -t 60",
  );
  const inward = { ...session, guestPort: 80 };
  await conntrack(
    "-I -p tcp -s 192.0.2.2 -d 172.16.1.2 --sport 40000 --dport 8080 -r 10.1.0.10 -q 192.0.2.2 --reply-port-src 80 --reply-port-dst 40000 --state ESTABLISHED -t 60",
  );
  const both = [outward, inward];
  expect(await table.install(guest, both, kept)).toEqual({ ...present, present: 2 });
  expect(await count()).toBe(2);
  expect(await table.install(guest, both, redirected)).toEqual({ ...installed, installed: 2 });
  const read = await table.read(guest);
  expect(read.map(({ mark }) => mark)).toEqual([redirectMark, redirectMark]);
  const ends = read.map(({ original, reply }) => [original.destination, reply.destination]);
  expect(ends.toSorted()).toEqual([
    [guest, "192.0.2.2"],
    ["192.0.2.2", guest],
  ]);
});

test("neighbours of the guest's that its new host hides behind its own address stay translated", async () => {
  await followHint();
  await conntrack(
    "-I -p tcp -s 10.2.0.20 -d 10.1.0.10 --sport 40000 --dport 7 -r 10.1.0.10 -q 172.16.2.2 --reply-port-src 7 --reply-port-dst 41000 --state ESTABLISHED -t 60",
  );
  const inward = { ...session, peer: "172.16.2.2", peerPort: 41_000 };
  expect(await table.install(guest, [inward], redirected)).toEqual(present);
  expect(await only()).toMatchObject({
    ...{ mark: redirectMark, original: { source: "10.2.0.20", sourcePort: 40_000 } },
    reply: { destination: "172.16.2.2", destinationPort: 41_000 },
  });
});

test("what has a flow's ends but is somebody else's stays, and the flow is refused", async () => {
  await followHint();
  await conntrack(
    "-I -p tcp -s 192.0.2.2 -d 10.1.0.10 --sport 40000 --dport 7 -r 10.1.0.99 -q 192.0.2.2 --reply-port-src 7 --reply-port-dst 40000 --state ESTABLISHED -t 60",
  );
  expect(await table.install(guest, [session], redirected)).toEqual({
    ...{ installed: 0, present: 0, refused: { EEXIST: 1 } },
  });
  expect(await count()).toBe(1);
});

test("entries of other conntrack zones are not the guest's, nor in its way", async () => {
  await followHint();
  await conntrack(
    "-I -p tcp -s 192.0.2.2 -d 10.1.0.10 --sport 40000 --dport 7 --state ESTABLISHED -t 60 --zone 5",
  );
  expect(await table.read(guest)).toEqual([]);
  expect(await table.install(guest, [session], kept)).toEqual(installed);
  expect(await table.forget([await only()])).toBe(1);
  expect(await count()).toBe(1);
});

/** Loads the table that the error's hint tells, as a reader would. */
async function followHint(): Promise<void> {
  const { hint } = await table.read(guest).catch((error) => error);
  const [, ruleset] = /nft '(.+)'/.exec(hint) ?? [];
  await host.run("nft", [`${ruleset}`]);
}

async function conntrack(line: string): Promise<void> {
  await host.run("conntrack", line.split(" "));
}

async function count(): Promise<number> {
  return Number((await host.run("conntrack", ["-C"])).stdout);
}

async function only(): Promise<TrackedFlow> {
  const [flow, ...others] = await table.read(guest);
  if (flow === undefined || others.length > 0) throw new Error("not exactly one flow");
  return flow;
}

/** A second or two may have passed. */
function aged<Flow extends { timeoutS: number }>(flow: Flow): Flow {
  return { ...flow, timeoutS: Math.ceil(flow.timeoutS / 100) };
}
