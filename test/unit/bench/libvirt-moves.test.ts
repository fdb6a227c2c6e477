import { expect, test } from "vitest";
import type { MethodName } from "../../../scripts/lib/libvirt-moves/methods.ts";
import { type Move, summaryOf } from "../../../scripts/lib/libvirt-moves/records.ts";

const move = (method: MethodName, round: number, outageMs: number | null): Move => ({
  ...{ type: "move", round, method, from: "host-a", to: "host-b" },
  ...{ tcp_echo_outage_ms: outageMs, tcp_echo_floor_ms: 5, packet_outage_ms: null },
  ...{ packets_lost: 2, blackout_ms: outageMs, total_ms: 2_000, rto: 1, sessions_broken: 0 },
  timeline: [],
});

test("methods are compared where both were measured, with bounds from six moves on", () => {
  const moves = [1, 2, 3, 4, 5, 6].flatMap((round) => [
    move("libvirt", round, 60),
    move("qemu", round, 50),
  ]);
  const { methods, ratios } = summaryOf([...moves, move("script", 1, 1_500)]);
  expect(Object.keys(ratios)).toEqual(["libvirt/qemu", "libvirt/script"]);
  expect(ratios["libvirt/qemu"]?.outage).toEqual({ of_medians: 1.2, bounds_95: [1.2, 1.2] });
  expect(ratios["libvirt/script"]?.outage).toEqual({ of_medians: 0.04, bounds_95: null });
  expect(methods.script).toMatchObject({ moves: 1, packets_lost: 2, rto: 1 });
  expect(methods.qemu?.packet_outage_ms).toEqual({ median: null, p95: null, max: null });
});

test("a move without a figure counts in no median", () => {
  const { methods } = summaryOf([move("hook", 1, null), move("hook", 2, 40)]);
  expect(methods.hook).toMatchObject({ moves: 2, tcp_echo_outage_ms: { median: 40 } });
});
