import { expect, test } from "vitest";
import { barrierAddressOf, isBarrierFlow } from "../../../src/migrator/barrier-address.ts";

test("what the readiness barrier has sent is told from anybody's flow", () => {
  for (const id of ["m26091af0d7b9", "m4f3613b49fa9", "m0"]) {
    const peer = barrierAddressOf(id);
    expect(isBarrierFlow({ protocol: 1, peer }), peer).toBe(true);
    expect(isBarrierFlow({ protocol: 6, peer }), peer).toBe(false);
  }
  expect(isBarrierFlow({ protocol: 1, peer: "192.0.2.2" })).toBe(false);
});
