import { describe, expect, it } from "vitest";
import { checkAdmissible, refuseFromElsewhere } from "../../../src/migrator/admission.ts";
import type { HostContext } from "../../../src/migrator/host-context.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";

const request = {
  ...{ id: "m2", guest: "web1", epoch: 2, home: { host: "host-a" } },
  definition: { name: "web1", nics: [{ mac: "52:54:00:00:00:10", addresses: ["10.1.0.10/24"] }] },
};

function admit(
  record: Partial<GuestRecord> | undefined,
  isArriving = false,
  address = "10.1.0.10",
  role: "host" | "anchor" = "host",
  isOn = false,
): void {
  const host = { role, name: "host-b", underlayAddress: "172.16.2.2", guestNetworks: [] };
  const journal = { refuseHeld: () => {}, has: () => false };
  const context = { host, journal, records: { get: () => record, all: () => [] } };
  const nics = [{ mac: "52:54:00:00:00:10", addresses: [`${address}/24`] }];
  const wanted = { ...request, definition: { ...request.definition, nics } };
  checkAdmissible(
    { ...context, maintenance: { isOn } } as unknown as HostContext,
    wanted,
    isArriving,
  );
}

const refusalOf = (code: string) => expect.objectContaining({ code, exitCode: 3, httpStatus: 409 });
const at = (stage: NonNullable<GuestRecord["hosting"]>["stage"]) => ({
  ...{ stage, tableIndex: 0, homeTunnel: null, sourceTunnel: null },
});
const migration = { id: "m1" } as NonNullable<GuestRecord["migration"]>;

describe("a guest that wants to arrive", () => {
  it("is let in where it is not", () => {
    expect(() => admit(undefined)).not.toThrow();
    expect(() => admit({ hosting: null, migration: null, epoch: 1 })).not.toThrow();
  });

  it.each(["172.16.2.2", "127.0.0.1"])("is refused with this host's own address %s", (own) => {
    expect(() => admit(undefined, false, own)).toThrow(refusalOf("SOJ_GUEST_ADDRESS"));
  });

  it("is refused by an anchor", () => {
    expect(() => admit(undefined, false, "10.1.0.10", "anchor")).toThrow(
      refusalOf("SOJ_HOST_IS_ANCHOR"),
    );
  });

  it("is refused in maintenance, also one that comes home", () => {
    const away = { hosting: null, migration: null, epoch: 1 };
    for (const record of [undefined, away])
      expect(() => admit(record, false, "10.1.0.10", "host", true)).toThrow(
        refusalOf("SOJ_HOST_MAINTENANCE"),
      );
  });

  it("comes home only from where its home knows it", () => {
    const tunnel = {
      kind: "ipip",
      localAddress: "172.16.1.2",
      remoteAddress: "172.16.2.2",
    } as const;
    const away = { guest: "web1", redirect: { host: "host-b", tunnel } } as GuestRecord;
    expect(() => refuseFromElsewhere(away, "host-b")).not.toThrow();
    expect(() => refuseFromElsewhere(undefined, "host-c")).not.toThrow();
    expect(() => refuseFromElsewhere(away, "host-c")).toThrow(refusalOf("SOJ_GUEST_ELSEWHERE"));
    const departed = { guest: "web1", redirect: null, departed: { host: "host-b" } } as GuestRecord;
    expect(() => refuseFromElsewhere(departed, "host-b")).not.toThrow();
    expect(() => refuseFromElsewhere(departed, "host-c")).toThrow(refusalOf("SOJ_GUEST_ELSEWHERE"));
  });

  it("is told apart: there already, and busy", () => {
    const there: Partial<GuestRecord> = { hosting: at("running"), migration: null, epoch: 1 };
    expect(() => admit(there)).toThrow(refusalOf("SOJ_GUEST_THERE"));
    expect(() => admit({ ...there, migration })).toThrow(refusalOf("SOJ_GUEST_BUSY"));
    expect(() => admit({ ...there, hosting: null, migration })).toThrow(
      refusalOf("SOJ_GUEST_BUSY"),
    );
    expect(() => admit({ ...there, hosting: at("incoming") })).toThrow(refusalOf("SOJ_GUEST_BUSY"));
    expect(() => admit(undefined, true)).toThrow(refusalOf("SOJ_GUEST_BUSY"));
  });
});
