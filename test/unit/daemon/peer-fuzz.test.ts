import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { procedures } from "../../../src/daemon/peer-procedures.ts";
import { definitionOf, recordOf, runningAtHome } from "../migrator/support.ts";
import { PeerHost } from "./peer-host.ts";

/** A peer with the right certificate that says anything at all. */
let host: PeerHost;
beforeEach(async () => {
  host = await PeerHost.start();
});
afterEach(() => host[Symbol.asyncDispose]());

const names = Object.keys(procedures);

const identity = { id: "m1", guest: "web1", epoch: 3 };
const preparation = {
  ...identity,
  definition: definitionOf("web1", 10),
  home: { host: "host-a", underlayAddress: "172.16.1.2", gatewayMac: "52:54:00:00:01:01" },
  source_underlay_address: "172.16.1.2",
  tunnel_kind: "ipip",
  resume: true,
  lands_late: false,
};

const attachment = {
  ...{ guest: "web1", definition: definitionOf("web1", 10), epoch: 0 },
  ...{ underlay_address: "172.16.1.2", tunnel_kind: "ipip" },
};

const handedGuest = {
  ...{ id: "h1", guest: "web1", definition: definitionOf("web1", 10), epoch: 4 },
  ...{ gateway_mac: "52:54:00:00:01:01", host: "host-c", underlay_address: "172.16.3.2" },
  tunnel_kind: "ipip",
};

const pathEnd = { kind: "ipip", underlay_address: "172.16.1.2", nonce: "0".repeat(32) };

/** A request of each procedure as a source of this version sends it. */
const requests: Record<string, Record<string, unknown>> = {
  clock: {},
  hello: { protocol_version: 1, host: "host-a" },
  hypervisor: {},
  "describe-host": {},
  capacity: {},
  "plan-incoming": preparation,
  prepare: preparation,
  "open-barrier": { ...identity, barrier_address: "198.18.0.1" },
  "close-barrier": identity,
  "renew-incoming": identity,
  state: { ...identity, wait_ms: 0 },
  seal: identity,
  "carry-flows": {
    ...identity,
    flows: [
      {
        ...{ p: 6, in: true, peer: "192.0.2.2", ports: [40_012, 7], state: "ESTABLISHED" },
        ...{ replied: true, assured: true, expires: 432_000, scale: [7, 7] },
      },
      {
        ...{ p: 1, in: false, peer: "192.0.2.2", ports: [null, null], icmp: [8, 0, 77] },
        ...{ replied: false, assured: false, expires: 30 },
      },
    ],
  },
  "reset-flows": identity,
  settle: { ...identity, grace_ms: 0 },
  abort: identity,
  "recover-post-copy": identity,
  "lose-post-copy": identity,
  verify: identity,
  "await-repoint": identity,
  finish: identity,
  supersede: { ...identity, new_epoch: identity.epoch + 1 },
  "migration-facts": { id: identity.id, guest: identity.guest },
  "guest-ended": { guest: "web1" },
  "plan-repoint": { guest: "web1", to: "host-c", tunnel_kind: "ipip" },
  "prepare-repoint": { ...identity, to: "host-c", tunnel_kind: "ipip" },
  "confirm-repoint": identity,
  "probe-repoint": { ...identity, barrier_address: "198.18.0.9" },
  repoint: { guest: "web1", epoch: 3, tunnel_kind: "ipip" },
  "is-move-over": { id: identity.id, guest: identity.guest },
  "release-repoint": identity,
  "attach-guest": attachment,
  "attach-check": attachment,
  "handover-check": { guests: [handedGuest], hosts: ["host-c"] },
  "handover-receive": handedGuest,
  "handover-activate": { id: "h1", guests: ["web1"] },
  "handover-drop": { id: "h1" },
  "handover-finish": { id: "h1" },
  "offer-home": {
    ...{ id: "h1", guest: "web1", tunnel_kind: "ipip" },
    home: { host: "host-c", underlayAddress: "172.16.3.2", gatewayMac: "52:54:00:00:01:01" },
  },
  "take-home": { id: "h1", guest: "web1", epoch: 4 },
  "release-home": { id: "h1", guest: "web1" },
  "attached-guest": { guest: "web1" },
  "retire-redirect": { guest: "web1", epoch: 3, reason: "by-hand" },
  "retire-guest": { guest: "web1", confirm: true },
  "delegate-migration": {
    ...{ guest: "web1", to: "host-a", tunnel: "auto" },
    ...{ timeout_s: null, max_outage_ms: null, strategy: null },
  },
  "delegate-plan": { guest: "web1", to: "host-a", tunnel: "auto" },
  "delegated-events": { id: "m1", from: 0, wait_ms: 0 },
  "delegated-cancel": { id: "m1" },
  "doctor-host": {},
  "doctor-call-back": {},
  "doctor-listen": { place: "first", nonce: "0".repeat(32) },
  "doctor-connect": { port: 32_768, nonce: "0".repeat(32) },
  "doctor-guest": { definition: preparation.definition },
  "look-at-storage": { files: [] },
  "digest-files": { paths: [] },
  "hosts-guest": { guest: "web1", uuid: "8a1b2c3d-0000-4000-8000-000000000001" },
  "follow-guest": { guest: "web1", uuid: "8a1b2c3d-0000-4000-8000-000000000001" },
  "rehearse-guest": { definition: preparation.definition },
  "expect-domain": {
    ...{ name: "web1", uuid: "da275636-58e7-4170-8c1e-f6681149fadf", emulator: null, cpu: null },
    ...{ architecture: "x86_64", machine: "pc-i440fx-10.0", virtualization: "kvm", paths: [] },
  },
  "doctor-path-open": pathEnd,
  "doctor-path-send": { ...pathEnd, bytes: 1480 },
  "doctor-path-count": pathEnd,
  "doctor-path-close": pathEnd,
  "plan-evacuation": { to: ["host-c"] },
  "start-evacuation": { to: ["host-c"], parallel: 2, policy: "balanced", post_copy: false },
  "list-evacuations": {},
  "get-evacuation": { id: "e5f1c0a9b2d3" },
  "cancel-evacuation": { id: "e5f1c0a9b2d3", running: false },
};

/** Answered, or refused with a typed error that is not a fault of ours; bounded either way. */
function expectTyped({ status, body }: { status: number; body: unknown }): void {
  if (status === 200) return;
  expect(body).toMatchObject({ type: "error", code: expect.stringMatching(/^SOJ_/) });
  const { code, message } = body as { code: string; message: string };
  expect(code).not.toBe("SOJ_INTERNAL");
  expect(message.length).toBeLessThan(2_000);
}

async function expectUntouched(): Promise<void> {
  expect(host.allocated).toEqual([]);
  expect(host.records.all()).toEqual([]);
  expect(host.steps()).toEqual([]);
  expect((await host.post("clock", "{}")).status).toBe(200);
}

test("there is a request here for every procedure", () => {
  expect(Object.keys(requests).toSorted()).toEqual(names.toSorted());
  for (const [name, { request }] of Object.entries(procedures)) {
    expect(request.safeParse(requests[name]).success, name).toBe(true);
  }
});

test("any bytes to any procedure are refused, and nothing is allocated for them", async () => {
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.constantFrom(
      "",
      "null",
      "[]",
      '{"__proto__":{"id":"m1"}}',
      '{"constructor":{"prototype":1}}',
    ),
  );
  const paths = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...names.filter((name) => !askable.has(name))) },
    fc
      .string({ unit: "binary", maxLength: 60 })
      .map((text) => encodeURIComponent(text.toWellFormed())),
    fc.constantFrom(
      "__proto__",
      "constructor",
      "toString",
      "%00",
      "%ff",
      "..%2f..%2f",
      "x".repeat(5_000),
    ),
  );
  const types = fc.constantFrom(
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "",
  );
  await fc.assert(
    fc.asyncProperty(paths, bodies, types, async (path, body, type) => {
      const reply = await host.post(path, body, { type });
      expect(reply.status).not.toBe(200);
      expectTyped(reply);
    }),
    { numRuns: 400 },
  );
  await expectUntouched();
});

/** What may be asked without saying anything. */
const askable = new Set([
  ...["clock", "hypervisor", "describe-host", "capacity", "doctor-call-back", "list-evacuations"],
]);

test("huge and deep bodies are refused", async () => {
  const deep = `${'{"definition":'.repeat(3_000)}1${"}".repeat(3_000)}`;
  const wide = JSON.stringify({ ...preparation, extra: Array.from({ length: 10_000 }, () => 1) });
  const keys = JSON.stringify({ ...preparation, ["k".repeat(40_000)]: 1 });
  for (const body of [
    deep,
    keys,
    `[`.repeat(50_000),
    wide,
    "x".repeat(60_000),
    " ".repeat(10_000_000),
  ]) {
    // A server that refuses a body before it has read it may close the connection under the sender.
    const reply = await host.post("prepare", body).catch((error: NodeJS.ErrnoException) => error);
    if (reply instanceof Error) expect(reply.code).toMatch(/^(EPIPE|ECONNRESET)$/);
    else {
      expect(reply.status).toBeGreaterThanOrEqual(400);
      expectTyped(reply);
    }
  }
  await expectUntouched();
});

test("a request with any one value changed is answered or refused, never a fault of ours", async () => {
  const changes = fc.constantFrom(...names).chain((name) =>
    fc.record({
      name: fc.constant(name),
      path: fc.constantFrom([] as string[], ...pathsIn(requests[name])),
      value: fc.oneof(
        fc.jsonValue(),
        fc.constantFrom<unknown>(
          "",
          "../x",
          "a,b",
          "-x",
          "\0",
          "x".repeat(5_000),
          -1,
          1e308,
          2 ** 53,
        ),
        fc.constantFrom<unknown>("0.0.0.0", "10.1.0.10/33", "ff:ff:ff:ff:ff:ff", [[]], {}, null),
        fc.constant(undefined),
      ),
    }),
  );
  await fc.assert(
    fc.asyncProperty(changes, async ({ name, path, value }) => {
      const reply = await host.post(
        name,
        JSON.stringify(changed(requests[name], path, value)) ?? "",
      );
      // `prepare` ends in the hypervisor that is not there: that one fault is the test's own.
      if (name === "prepare" && (reply.body as { code?: string }).code === "SOJ_INTERNAL") {
        expect(reply.body).toMatchObject({ message: "no hypervisor here" });
      } else expectTyped(reply);
    }),
    { numRuns: 600 },
  );
  expect((await host.post("clock", "{}")).status).toBe(200);
  for (const record of host.records.all()) expect(record.migration).toBeNull();
});

test("what was said once and is said again changes nothing", async () => {
  await host.post("prepare", JSON.stringify(preparation));
  expect(host.allocated).toEqual(["network", "process"]);
  expect(host.steps()).toEqual(["prepared", "abort"]);
  const order = names.filter((name) => name !== "clock").flatMap((name) => [name, name]);
  for (const name of order) {
    const reply = await host.post(name, JSON.stringify(requests[name]));
    expectTyped(reply);
    if (name === "prepare") expect(reply.body).toMatchObject({ code: "SOJ_STALE_EPOCH" });
  }
  expect(host.allocated).toEqual(["network", "process"]);
  expect(host.steps()).toEqual(["prepared", "abort"]);
});

test("a preparation for a guest whose home is no peer is refused, and nothing is allocated for it", async () => {
  const home = { ...preparation.home, host: "host-x" };
  const reply = await host.post("prepare", JSON.stringify({ ...preparation, home }));
  expect(reply.body).toMatchObject({ code: "SOJ_HOST_UNKNOWN" });
  expect(host.allocated).toEqual([]);
  expect(host.steps()).toEqual(["prepared", "abort"]);
});

test("the same preparation twice at once prepares once", async () => {
  const body = JSON.stringify(preparation);
  const replies = await Promise.all([1, 2, 3].map(() => host.post("prepare", body)));
  expect(host.allocated.filter((what) => what === "process")).toHaveLength(1);
  const codes = replies.map((reply) => (reply.body as { code: string }).code);
  expect(codes.filter((code) => code !== "SOJ_INTERNAL")).toHaveLength(2);
});

test("a peer that is not a migration's source has no say in it", async () => {
  const { id, guest, epoch } = identity;
  const migration = { id, epoch, role: "destination", peer: "host-a", resume: true } as const;
  host.records.put({ ...recordOf(guest, 10), migration });
  for (const name of ["state", "settle", "abort", "renew-incoming", "verify", "finish"]) {
    const reply = await host.post(name, JSON.stringify(requests[name]), { as: "host-c" });
    expect(reply, name).toMatchObject({ status: 403, body: { code: "SOJ_NOT_SOURCE" } });
  }
  expect(host.steps()).toEqual([]);
  const own = await host.post("abort", JSON.stringify(requests.abort));
  expect(own.body).toMatchObject({ state: "aborted" });
});

test("a peer that names another guest than the migration's own reaches neither of them", async () => {
  const { id, guest, epoch } = identity;
  const migration = { id, epoch, role: "destination", peer: "host-a", resume: true } as const;
  host.records.put({ ...recordOf(guest, 10), migration });
  const hosting = runningAtHome;
  const bystander = { ...recordOf("db1", 11), hosting };
  host.records.put(bystander);
  host.journal.append({ step: "takeover", migration: id, guest, epoch, role: "destination" });
  const request = { ...requests.supersede, guest: "db1" };
  const stranger = await host.post("supersede", JSON.stringify(request), { as: "host-c" });
  expect(stranger.body).toMatchObject({ code: "SOJ_NOT_SOURCE" });
  const own = await host.post("supersede", JSON.stringify(request));
  expect(own.body).toMatchObject({ code: "SOJ_STALE_EPOCH" });
  expect(host.records.get("db1")).toEqual(bystander);
  expect(host.steps()).toEqual(["takeover"]);
});

test("when a migration is over a stranger has no say in it either", async () => {
  const { id, guest, epoch } = identity;
  const written = { migration: id, guest, epoch, role: "destination" } as const;
  host.journal.append({ step: "prepared", ...written, peer: "host-a" });
  host.journal.append({ step: "takeover", ...written });
  host.journal.append({ step: "finished", ...written });
  const hosting = runningAtHome;
  const running = { ...recordOf(guest, 10), epoch, hosting };
  host.records.put(running);
  const reply = await host.post("supersede", JSON.stringify(requests.supersede), { as: "host-c" });
  expect(reply).toMatchObject({ status: 403, body: { code: "SOJ_NOT_SOURCE" } });
  expect(host.records.get(guest)).toEqual(running);
  expect(host.steps()).not.toContain("superseded");
});

/** The path of every value in an object, at any depth. */
function pathsIn(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, part]) => pathsIn(part, [...path, key]));
  return path.length === 0 ? inner : [path, ...inner];
}

function changed(value: unknown, [key, ...rest]: readonly string[], to: unknown): unknown {
  if (key === undefined) return to;
  const copy = structuredClone(value) as Record<string, unknown>;
  copy[key] = changed(copy[key], rest, to);
  return copy;
}
