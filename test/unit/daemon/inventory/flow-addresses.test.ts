import { expect, test } from "vitest";
import { flowAddresses } from "../../../../src/daemon/inventory/flow-addresses.ts";
import type { GuestRecord } from "../../../../src/migrator/records.ts";
import { preconditionError } from "../../../../src/platform/errors.ts";
import { trackedFlow } from "../../../support/tracked-flow.ts";
import { aToB, definitionOf, hostA, recordOf } from "../../migrator/support.ts";

const config = { host: hostA, guestNetworks: [...hostA.guestNetworks] };

function at(record: GuestRecord | undefined) {
  const guests = { definition: () => record?.definition ?? definitionOf("web1", 10) };
  return flowAddresses({ config, guests, records: { get: () => record, all: () => [] } }, "web1");
}

test("a guest's flows can be told at home, there or away, also of one that has never run", () => {
  for (const record of [
    ...[undefined, recordOf("web1", 10)],
    { ...recordOf("web1", 10), redirect: { host: "host-b", tunnel: aToB } },
  ]) {
    const path = record?.redirect ? "redirect" : "direct";
    const [told] = at(record);
    expect(told?.address).toBe("10.1.0.10");
    expect(told?.pathOf(trackedFlow())).toBe(path);
  }
});

test("where a guest has left for good, its address may be another's: who asks is sent on", () => {
  const departed = {
    ...{ host: "host-b", migration: "m1", renumbered: "10.2.0.9", atMs: 1 },
    reason: "last-flow" as const,
  };
  expect(() => at({ ...recordOf("web1", 10), departed })).toThrow(
    expect.objectContaining({
      ...{ code: "SOJ_GUEST_DEPARTED", exitCode: 3, hint: expect.stringContaining("ask host-b") },
    }),
  );
});

test("a host that the guest has nothing to do with says where to ask", () => {
  const guests = {
    definition: () => {
      throw preconditionError("SOJ_GUEST_UNKNOWN", "there is no guest web1", { httpStatus: 404 });
    },
  };
  const sources = { config, guests, records: { get: () => undefined, all: () => [] } };
  expect(() => flowAddresses(sources, "web1")).toThrow(
    expect.objectContaining({
      ...{ code: "SOJ_GUEST_UNKNOWN", httpStatus: 404, exitCode: 3 },
      hint: expect.stringContaining("at the guest's home or at the host where it is"),
    }),
  );
});
