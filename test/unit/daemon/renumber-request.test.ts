import { describe, expect, it, test } from "vitest";
import type { DaemonConfig } from "../../../src/daemon/config.ts";
import {
  checkReleased,
  checkTracked,
  releaseWarnings,
  renumberOf,
} from "../../../src/daemon/renumber-request.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { hostA, hostB, recordOf, runningAtHome } from "../migrator/support.ts";

const config = {
  host: { name: "host-a", underlayAddress: "172.16.1.2" },
  flows: { track: true },
  dns: null,
  drain: { idleTimeoutS: 7440, capS: 604_800, nameTtlS: 60 },
} as DaemonConfig;
const move = { guest: "web1", to: "host-b" };
const record = recordOf("web1", 10);

describe("a request to renumber", () => {
  it("has the configuration's limits, or its own", () => {
    expect(renumberOf(move, record, config)).toBeUndefined();
    expect(renumberOf({ ...move, renumber: "auto" }, record, config)).toMatchObject({
      ...{ address: "auto", idleTimeoutS: 7440, capS: 604_800, nameTtlS: 60 },
    });
    const own = { ...move, renumber: "10.2.0.9", drain_idle_s: 2, drain_cap_s: 90 };
    expect(renumberOf(own, record, config)).toMatchObject({
      ...{ address: "10.2.0.9", idleTimeoutS: 2, capS: 90 },
    });
    expect(renumberOf({ ...own, drain_cap_s: 0 }, record, config)).toMatchObject({ capS: null });
  });

  it("is for guests that do not go home, whose flows are tracked, and without a benchmark's strategy", () => {
    const wanted = { ...move, renumber: "auto" };
    const elsewhere = { ...record, home: { ...record.home, host: "host-c" } };
    const coded = (code: string, exitCode = 3) => expect.objectContaining({ code, exitCode });
    expect(renumberOf(wanted, elsewhere, config)).toMatchObject({ address: "auto" });
    const homewards = { ...record, home: { ...record.home, host: "host-b" } };
    expect(() => renumberOf(wanted, homewards, config)).toThrow(coded("SOJ_RENUMBER_HOME"));
    const untracked = { ...config, flows: { track: false } };
    expect(() => renumberOf(wanted, record, untracked)).toThrow(coded("SOJ_FLOWS_UNTRACKED"));
    const flip = { ...wanted, strategy: { name: "flip" as const } };
    expect(() => renumberOf(flip, record, config)).toThrow(coded("SOJ_USAGE", 2));
  });
});

test("a kernel that tracks nothing, though it should, tells no established flow from a new one", async () => {
  const host = hostA;
  const tracking = (isTracking: boolean) => ({
    host,
    flows: { isTracking: async () => isTracking },
  });
  const check = (wish: object, isTracking: boolean) =>
    checkTracked({ ...move, ...wish }, tracking(isTracking) as unknown as HostContext);
  await expect(check({ renumber: "auto" }, false)).rejects.toMatchObject({
    code: "SOJ_FLOWS_UNTRACKED",
  });
  await check({ renumber: "auto" }, true);
  await check({}, false);
});

describe("a renumbered guest that is to go home", () => {
  const hosting = runningAtHome;
  const there: GuestRecord = { ...record, hosting: { ...hosting, renumbered: "10.2.0.2" } };
  const home = { guest: "web1", to: "host-a" };
  const end = { sourcePort: 4711, destinationPort: 7, icmp: null, packets: null, bytes: null };
  const flow = (to: string, state: string) => ({
    ...{ id: "1", protocol: 6, state, replied: true, mark: 0 },
    original: { ...end, source: "192.0.2.2", destination: to },
    reply: { ...end, source: "10.1.0.10", destination: "192.0.2.2" },
  });
  const check = (wish: object, at: GuestRecord, read: () => Promise<unknown>) =>
    checkReleased({ ...home, ...wish }, at, { host: hostB, flows: { read } } as never);

  it("needs its caller's word while sessions use the address that it would lose", async () => {
    const used = async () => [flow("10.2.0.2", "ESTABLISHED"), flow("10.1.0.10", "ESTABLISHED")];
    await expect(check({}, there, used)).rejects.toMatchObject({
      ...{ code: "SOJ_GUEST_RENUMBERED", exitCode: 3, guestState: "untouched" },
      message: expect.stringContaining("1 session would be cut (192.0.2.2:7)"),
    });
    await check({ release_renumbered: true }, there, used);
    await check({}, { ...record, hosting }, used);
  });

  it("has a plan that says what is given back and who is cut", async () => {
    const used = async () => [flow("10.2.0.2", "ESTABLISHED")];
    const context = { host: hostB, flows: { read: used } } as never;
    expect(await releaseWarnings(there, context)).toEqual([
      "web1 gives 10.2.0.2 back to host-b: 1 session would be cut (192.0.2.2:7)",
    ]);
    const unused = { host: hostB, flows: { read: async () => [] } } as never;
    expect(await releaseWarnings(there, unused)).toEqual([
      "web1 gives 10.2.0.2 back to host-b: no session uses it",
    ]);
    expect(await releaseWarnings({ ...record, hosting }, context)).toEqual([]);
  });

  it("goes when none does, and not without that word where nobody can tell", async () => {
    await check({}, there, async () => [
      flow("10.2.0.2", "TIME_WAIT"),
      flow("10.1.0.10", "ESTABLISHED"),
    ]);
    const silent = () => Promise.reject(new Error("no netlink"));
    await expect(check({}, there, silent)).rejects.toThrow(/is not known \(no netlink\)/);
  });
});
