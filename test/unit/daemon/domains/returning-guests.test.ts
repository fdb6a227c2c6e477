import { afterEach, expect, test, vi } from "vitest";
import {
  ReturningGuests,
  type ReturningGuestsOptions,
} from "../../../../src/daemon/domains/returning-guests.ts";
import type { GuestDefinition } from "../../../../src/hypervisor/definition.ts";
import { endedInstance } from "../../../../src/hypervisor/ended-instance.ts";
import type { GuestInstance } from "../../../../src/hypervisor/hypervisor.ts";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import type {
  RunningDomain,
  StartedDomain,
} from "../../../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import type { GuestRecord } from "../../../../src/migrator/records.ts";
import { preconditionError } from "../../../../src/platform/errors.ts";
import { fixture } from "../../hypervisor/domain-xml/fixtures.ts";
import { aToB, definitionOf, hostA, recordOf } from "../../migrator/support.ts";

const facts = readDomain(fixture("lab-migratable"));
const { uuid } = facts;
const nic = { mac: "52:54:00:77:7b:59", addresses: ["10.1.0.10/24"], gateway: "10.1.0.1" };
const definition: GuestDefinition = {
  ...{ ...definitionOf("web1", 10), uuid, nics: [nic], hypervisor: "libvirt" },
};
const web1: RunningDomain = { name: "web1", uuid, state: "running", isPersistent: true, facts };

let ended = async () => {};

afterEach(() => ended());

interface World {
  running: RunningDomain[];
  record?: GuestRecord | undefined;
  bridge?: string | null;
  instance?: GuestInstance;
  domains?: () => Promise<RunningDomain[]>;
}

function bed(world: World) {
  let start: (domain: StartedDomain) => void = () => {};
  let forget = () => {};
  const takeBack = vi.fn(async (_definition: GuestDefinition, _tap: string) => {
    if (world.record !== undefined) throw preconditionError("SOJ_GUEST_BUSY", "is here already");
  });
  const error = vi.fn();
  const warn = vi.fn();
  const logger = { error, info: () => {}, warn };
  const guests = {
    names: () => ["web1", "own"],
    definition: (name: string) => (name === "web1" ? definition : definitionOf(name, 20)),
    instance: () => world.instance,
  };
  const drop = vi.fn(async () => {
    delete world.record;
    delete world.instance;
  });
  const returning = new ReturningGuests({
    ...{ host: hostA, guests, logger: logger as never, adoptions: { takeBack, drop } },
    records: {
      get: () => world.record,
      subscribe: (listener) => {
        forget = () => {
          const before = world.record;
          delete world.record;
          listener(before, undefined);
        };
        return { [Symbol.dispose]: () => {} };
      },
    },
    hypervisor: {} as ReturningGuestsOptions["hypervisor"],
    libvirt: {
      capabilities: () => Promise.reject(new Error("not asked for")),
      domains: world.domains ?? (async () => world.running),
      onDomainStarted: (listener) => {
        start = listener;
        return () => {};
      },
    },
    findBridge: async () => (world.bridge === undefined ? "guests0" : world.bridge),
  });
  ended = () => returning[Symbol.asyncDispose]();
  returning.begin();
  return {
    takeBack,
    drop,
    error,
    warn,
    forget: () => forget(),
    start: (name: string, how: StartedDomain["how"]) => start({ name, uuid, how }),
  };
}

test("a guest that runs when the daemon starts is taken in on the tap that it has", async () => {
  const { takeBack } = bed({ running: [web1] });
  await expect.poll(() => takeBack).toHaveBeenCalledTimes(1);
  expect(takeBack.mock.calls[0]?.slice(0, 2)).toEqual([definition, "lv-web1"]);
});

test("libvirt's start makes it a guest again; an arrival, a stranger and QEMU's own guests are left", async () => {
  const world: World = { running: [] };
  const { takeBack, start } = bed(world);
  await new Promise(setImmediate);
  world.running = [web1];
  for (const [name, how] of [
    ["web1", "migrated"],
    ["own", "booted"],
    ["../x", "booted"],
  ] as const) {
    start(name, how);
  }
  await new Promise(setImmediate);
  expect(takeBack).not.toHaveBeenCalled();
  start("web1", "booted");
  await expect.poll(() => takeBack).toHaveBeenCalledTimes(1);
});

test.each([
  ["UUID", { ...web1, uuid: uuid.replace(/^./, "0") }],
  ["name", { ...web1, name: "web1-copy" }],
])("a domain with another %s than the guest's is not it, and that is told", async (_, other) => {
  const { takeBack, warn, start } = bed({ running: [other] });
  start("web1", "booted");
  await expect.poll(() => warn).toHaveBeenCalled();
  expect(warn.mock.calls[0]?.[0]).toMatchObject({ guest: "web1", found: { name: other.name } });
  expect(takeBack).not.toHaveBeenCalled();
});

test("a start that comes before its end is cleaned up after, and a libvirt that is away, are waited for", async () => {
  const world: World = { running: [web1], record: recordOf("web1", 10) };
  let tries = 0;
  world.domains = async () => {
    tries += 1;
    if (tries === 1) throw preconditionError("SOJ_HYPERVISOR_DISCONNECTED", "away");
    if (tries === 3) world.record = undefined;
    return world.running;
  };
  const { takeBack, error } = bed(world);
  await expect.poll(() => takeBack.mock.settledResults.at(-1)?.type).toBe("fulfilled");
  expect(error).not.toHaveBeenCalled();
});

test("one that is away and runs here too is left with an alarm, until it is away no more", async () => {
  const record = { ...recordOf("web1", 10), redirect: { host: "host-b", tunnel: aToB } };
  const { takeBack, error, start, forget } = bed({ running: [web1], record });
  await expect.poll(() => error).toHaveBeenCalledTimes(1);
  start("web1", "booted");
  await expect.poll(() => error).toHaveBeenCalledTimes(2);
  expect(error.mock.calls[0]?.[1]).toMatch(/^alarm: .*away at another host/);
  expect(takeBack).not.toHaveBeenCalled();
  forget();
  await expect.poll(() => takeBack).toHaveBeenCalledTimes(1);
});

test.each([
  [
    "another NIC",
    { facts: { ...facts, nics: [{ ...facts.nics[0], mac: "52:54:00:00:00:09" }] } },
    {},
  ],
  ["another bridge", {}, { bridge: "br9" }],
  ["no bridge", {}, { bridge: null }],
])(
  "%s than its definition has: it is not taken in, and the log says so",
  async (_, other, place) => {
    const { takeBack, error } = bed({
      running: [{ ...web1, ...other } as RunningDomain],
      ...place,
    });
    await expect.poll(() => error).toHaveBeenCalledTimes(1);
    expect(takeBack).not.toHaveBeenCalled();
  },
);

test.each([
  ["on the tap that it came home to is left", "lv-web1", []],
  [
    "that was started anew on its own tap is let go of, and taken in there",
    "sjp012345678",
    ["lv-web1"],
  ],
])("a guest %s", async (_, tap, expected) => {
  const record = {
    ...{ ...recordOf("web1", 10), definition },
    hosting: {
      stage: "running",
      tableIndex: 0,
      homeTunnel: null,
      sourceTunnel: null,
      tap,
    } as const,
  };
  const instance = { ...endedInstance(definition), isAlive: () => true };
  const { takeBack, drop, error } = bed({ running: [web1], record, instance });
  await expect.poll(() => takeBack.mock.calls.map(([, on]) => on)).toEqual(expected);
  await new Promise(setImmediate);
  expect(error).not.toHaveBeenCalled();
  expect(drop).toHaveBeenCalledTimes(expected.length);
});
