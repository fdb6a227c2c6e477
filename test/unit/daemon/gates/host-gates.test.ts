import { describe, expect, test } from "vitest";
import { type HostGate, HostGates } from "../../../../src/daemon/gates/host-gates.ts";
import { NoAnswer } from "../../../../src/daemon/gates/no-answer.ts";
import { coversGuest } from "../../../../src/daemon/guest-patterns.ts";
import type { GateNote } from "../../../../src/migrator/gates.ts";
import { FakeClock, pass } from "../../platform/fake-clock.ts";
import { allow, delayBy, deny, gateOf, question, silence } from "./support.ts";

const notThere = new NoAnswer("connection refused", { isPassing: true });
const never = new AbortController().signal;

/** Asks all gates; what was told, and how it ended so far. */
function askAll(gates: readonly HostGate[], signal = never) {
  const told: GateNote[] = [];
  const host = new HostGates(gates);
  const state: { ended: null | "allowed" | unknown } = { ended: null };
  host
    .ask(question, signal, (note) => told.push(note))
    .then(
      () => {
        state.ended = "allowed";
      },
      (error: unknown) => {
        state.ended = error;
      },
    );
  return { told, state };
}

const decisions = (told: readonly GateNote[]) => told.map(({ decision }) => decision);

describe("a gate at one point", () => {
  test("allows: nothing more is waited for", async () => {
    using clock = new FakeClock();
    const gate = gateOf([allow]);
    const { told, state } = askAll([gate]);
    await pass(clock, 0);
    expect(state.ended).toBe("allowed");
    expect(decisions(told)).toEqual(["asked", "allow"]);
    expect(gate.asked).toEqual([
      {
        type: "gate",
        id: "m1.armed.board.1",
        gate: "board",
        point: "armed",
        migration: { id: "m1", guest: "web1", from: "host-a", to: "host-b", tunnel: "ipip" },
        predicted_blackout_ms: 12.5,
        waited_ms: 0,
        deadline_ms: 10_000,
        on_no_answer: "deny",
      },
    ]);
  });

  test("denies, with its name and reason in the error", async () => {
    using clock = new FakeClock();
    const { told, state } = askAll([gateOf([deny])]);
    await pass(clock, 0);
    expect(state.ended).toMatchObject({
      code: "SOJ_DENIED_BY_GATE",
      exitCode: 4,
      message: "gate board denied it at armed: frozen until Monday",
      hint: expect.stringContaining("ask whoever is behind gate board"),
    });
    expect(told.at(-1)).toMatchObject({ decision: "deny", answered: true });
  });

  test("delays, and is asked again afterwards: another question, but not before its time", async () => {
    using clock = new FakeClock();
    const gate = gateOf([delayBy(3_000), delayBy(0), allow]);
    const { told, state } = askAll([gate]);
    await pass(clock, 2_950);
    expect(gate.asked).toHaveLength(1);
    await pass(clock, 100);
    expect(gate.asked.map(({ id }) => id)).toEqual(["m1.armed.board.1", "m1.armed.board.2"]);
    expect(state.ended).toBeNull();
    await pass(clock, 300);
    expect(state.ended).toBe("allowed");
    expect(decisions(told)).toEqual(["asked", "delay", "delay", "allow"]);
    expect(told.at(-1)?.waitedMs).toBeGreaterThanOrEqual(3_250);
  });

  test.each(["allow", "deny"] as const)(
    "that delays for ever: %s after its deadline",
    async (onNoAnswer) => {
      using clock = new FakeClock();
      const { told, state } = askAll([gateOf([delayBy(4_000)], { onNoAnswer })]);
      await pass(clock, 9_900);
      expect(state.ended).toBeNull();
      await pass(clock, 200);
      expect(told.at(-1)).toMatchObject({ decision: onNoAnswer, answered: false });
      expect(told.at(-1)?.reason).toBe(
        `still delays it within 10000 ms; on_no_answer is ${onNoAnswer}`,
      );
      const denied = {
        message: expect.stringContaining("by its default"),
        hint: expect.stringContaining("why gate board gave no answer"),
      };
      if (onNoAnswer === "allow") expect(state.ended).toBe("allowed");
      else expect(state.ended).toMatchObject(denied);
    },
  );

  test.each(["allow", "deny"] as const)(
    "that is silent: %s after its deadline",
    async (onNoAnswer) => {
      using clock = new FakeClock();
      const gate = gateOf([silence], { onNoAnswer });
      const { told, state } = askAll([gate]);
      await pass(clock, 9_900);
      expect(state.ended).toBeNull();
      await pass(clock, 200);
      expect(told.at(-1)).toMatchObject({ decision: onNoAnswer, answered: false });
      expect(gate.asked).toHaveLength(1);
    },
  );

  test("that is not there is asked the same question again, less and less often", async () => {
    using clock = new FakeClock();
    const gate = gateOf([notThere, notThere, notThere, allow]);
    const { state } = askAll([gate]);
    await pass(clock, 500);
    expect(gate.asked).toHaveLength(2);
    await pass(clock, 900);
    expect(gate.asked).toHaveLength(2);
    await pass(clock, 2_200);
    expect(state.ended).toBe("allowed");
    expect(new Set(gate.asked.map(({ id }) => id))).toEqual(new Set(["m1.armed.board.1"]));
  });

  test("whose answer is wrong is not asked again: its default counts at once", async () => {
    using clock = new FakeClock();
    const gate = gateOf([new NoAnswer("the answer is not JSON")]);
    const { told, state } = askAll([gate]);
    await pass(clock, 0);
    expect(gate.asked).toHaveLength(1);
    expect(state.ended).toMatchObject({ code: "SOJ_DENIED_BY_GATE" });
    expect(told.at(-1)?.reason).toBe("the answer is not JSON; on_no_answer is deny");
  });

  test("a cancellation ends it at once, and nothing is told any more", async () => {
    using clock = new FakeClock();
    const cancel = new AbortController();
    const gate = gateOf([silence]);
    const { told, state } = askAll([gate], cancel.signal);
    await pass(clock, 1_000);
    cancel.abort(new Error("cancelled"));
    await pass(clock, 0);
    expect(state.ended).toMatchObject({ message: "cancelled" });
    await pass(clock, 20_000, 1_000);
    expect(decisions(told)).toEqual(["asked"]);
  });
});

describe("several gates at one point", () => {
  test("are asked at the same time; the longest delay counts", async () => {
    using clock = new FakeClock();
    const slow = gateOf([delayBy(5_000), allow], { name: "slow" });
    const quick = gateOf([delayBy(1_000), allow], { name: "quick" });
    const { state } = askAll([slow, quick, gateOf([allow])]);
    await pass(clock, 4_950);
    expect([slow.asked.length, quick.asked.length]).toEqual([1, 2]);
    expect(state.ended).toBeNull();
    await pass(clock, 100);
    expect(state.ended).toBe("allowed");
  });

  test("one denial is enough, and the others are not waited for", async () => {
    using clock = new FakeClock();
    const waiting = gateOf([delayBy(1_000), allow], { name: "waiting" });
    const { told, state } = askAll([waiting, gateOf([deny])]);
    await pass(clock, 0);
    expect(state.ended).toMatchObject({ code: "SOJ_DENIED_BY_GATE" });
    await pass(clock, 5_000);
    expect(waiting.asked).toHaveLength(1);
    expect(told.at(-1)).toMatchObject({ gate: "board", decision: "deny" });
  });

  test("only those of this point and this guest are asked", async () => {
    using clock = new FakeClock();
    const elsewhere = gateOf([deny], { points: ["planned", "prepared"] });
    const others = gateOf([deny], { guests: ["db*", "web"] });
    const { state } = askAll([elsewhere, others]);
    await pass(clock, 0);
    expect(state.ended).toBe("allowed");
    const host = new HostGates([elsewhere, others]);
    expect(host.concerns("armed", "web1")).toBe(false);
    expect(host.concerns("armed", "db7")).toBe(true);
    expect(host.concerns("planned", "web1")).toBe(true);
    expect(host.of("web1")).toEqual([{ gate: "board", points: ["planned", "prepared"] }]);
    expect(host.of("db7")).toHaveLength(2);
  });

  test.each([
    [["*"], "web1", true],
    [["web1"], "web1", true],
    [["web1"], "web10", false],
    [["web*"], "web10", true],
    [["db*", "mail"], "web1", false],
  ])("%j covers %s: %s", (patterns, guest, expected) => {
    expect(coversGuest(patterns, guest)).toBe(expected);
  });
});
