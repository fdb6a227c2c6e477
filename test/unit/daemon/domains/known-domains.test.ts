import { expect, test, vi } from "vitest";
import { KnownDomains } from "../../../../src/daemon/domains/known-domains.ts";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import type { RunningDomain } from "../../../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import { preconditionError } from "../../../../src/platform/errors.ts";
import { fixture } from "../../hypervisor/domain-xml/fixtures.ts";

const facts = readDomain(fixture("lab-migratable"));

function domain(name: string, uuid: string): RunningDomain {
  return { name, uuid, state: "running", isPersistent: true, facts };
}

function bed(domains: () => Promise<RunningDomain[]>, isGuestStanding = () => false) {
  const ask = vi.fn(domains);
  let started = () => {};
  const known = new KnownDomains({
    hostName: "host-a",
    libvirt: {
      domains: ask,
      onDomainStarted: (listener) => {
        started = () => listener({ name: "x", uuid: "x", how: "booted" });
        return () => {};
      },
    },
    guests: { names: () => ["web1"], instances: () => [] },
    records: { all: () => [{ definition: { uuid: "uuid-2" } }] as never },
    isGuestStanding,
  });
  return { known, ask, start: () => started() };
}

test("domains that are no guests are listed as what could be adopted", async () => {
  const all = [domain("web1", "uuid-1"), domain("db", "uuid-2"), domain("mail", "uuid-3")];
  const { known } = bed(async () => all);
  expect(await known.summaries()).toEqual([
    {
      ...{ name: "mail", state: "libvirt", host: "host-a", home: "host-a", addresses: [] },
      ...{ renumbered: null, redirect: null },
      ...{ memory_mib: 128, vcpus: 1, migration: null, in_doubt: false, since_ms: null },
      ...{ error: null, adoptable: true },
    },
  ]);
});

test("libvirt is asked once for many lists, again when a domain has started, never while a guest stands", async () => {
  let standing = false;
  const { known, ask, start } = bed(
    async () => [domain("mail", "uuid-3")],
    () => standing,
  );
  await Promise.all([known.summaries(), known.summaries()]);
  await known.summaries();
  expect(ask).toHaveBeenCalledTimes(1);
  start();
  await known.summaries();
  expect(ask).toHaveBeenCalledTimes(2);
  start();
  standing = true;
  expect(await known.summaries()).toHaveLength(1);
  expect(ask).toHaveBeenCalledTimes(2);
});

test("a libvirt that is silent or away keeps nobody waiting, and what was known is told", async () => {
  const answers = [
    async () => [domain("mail", "uuid-3")],
    () => Promise.reject(preconditionError("SOJ_HYPERVISOR_DISCONNECTED", "away")),
    () => new Promise<never>(() => {}),
  ];
  const { known, start } = bed(() => (answers.shift() as () => Promise<RunningDomain[]>)());
  for (let times = 0; times < 3; times += 1) {
    expect(await known.summaries()).toHaveLength(1);
    start();
  }
});

test("whoever wants something of a domain that is no guest is told how it becomes one", async () => {
  const { known } = bed(async () => [domain("mail", "uuid-3")]);
  const unknown = preconditionError("SOJ_GUEST_UNKNOWN", "there is no guest", { httpStatus: 404 });
  expect(await known.explain("mail", unknown)).toMatchObject({
    ...{ code: "SOJ_GUEST_UNKNOWN", httpStatus: 404, hint: "sojourn guest adopt mail --libvirt" },
  });
  expect(await known.explain("other", unknown)).toBe(unknown);
  const busy = preconditionError("SOJ_GUEST_BUSY", "busy");
  expect(await known.explain("mail", busy)).toBe(busy);
});
