import { describe, expect, it } from "vitest";
import type { DaemonConfig } from "../../../src/daemon/config.ts";
import { checkReleased, renumberOf } from "../../../src/daemon/renumber-request.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { recordOf } from "../migrator/support.ts";

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

  it("is for guests that leave their home, whose flows are tracked, and without a benchmark's strategy", () => {
    const wanted = { ...move, renumber: "auto" };
    const away = { ...record, home: { ...record.home, host: "host-b" } };
    const coded = (code: string, exitCode = 3) => expect.objectContaining({ code, exitCode });
    expect(() => renumberOf(wanted, away, config)).toThrow(coded("SOJ_RENUMBER_AWAY"));
    const untracked = { ...config, flows: { track: false } };
    expect(() => renumberOf(wanted, record, untracked)).toThrow(coded("SOJ_FLOWS_UNTRACKED"));
    const flip = { ...wanted, strategy: { name: "flip" as const } };
    expect(() => renumberOf(flip, record, config)).toThrow(coded("SOJ_USAGE", 2));
  });
});

describe("a renumbered guest that is to go home", () => {
  const hosting = {
    stage: "running",
    tableIndex: 0,
    homeTunnel: null,
    sourceTunnel: null,
  } as const;
  const there: GuestRecord = { ...record, hosting: { ...hosting, renumbered: "10.2.0.2" } };
  const home = { guest: "web1", to: "host-a" };

  it("needs its caller's word", () => {
    const refusal = expect.objectContaining({ code: "SOJ_GUEST_RENUMBERED", exitCode: 3 });
    expect(() => checkReleased(home, there)).toThrow(refusal);
    expect(() => checkReleased({ ...home, release_renumbered: true }, there)).not.toThrow();
    expect(() => checkReleased(home, { ...record, hosting })).not.toThrow();
  });
});
