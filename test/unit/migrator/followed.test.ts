import fc from "fast-check";
import { expect, test } from "vitest";
import { armingStep, StreamEnd } from "../../../src/migrator/followed-arming.ts";
import {
  type FollowedState,
  nextFollowed,
  type Sight,
} from "../../../src/migrator/followed-stream.ts";

const event = (name: string, status: string | null = null): Sight => ({
  kind: "event",
  name,
  status,
});
const answer = (runState: string, isSending: boolean): Sight => ({
  ...{ kind: "answer", runState, isSending },
});
const after = (...sights: Sight[]) => sights.reduce<FollowedState>(nextFollowed, "awaited");
const begun = event("MIGRATION", "active");
const ended: Sight = { kind: "ended" };

test("a guest that is sent leaves; one that runs again stays", () => {
  expect(after(begun)).toBe("streaming");
  expect(after(begun, event("STOP"))).toBe("stopped");
  expect(after(begun, event("STOP"), ended)).toBe("left");
  expect(after(begun, event("STOP"), event("MIGRATION", "failed"))).toBe("stopped");
  expect(after(begun, event("STOP"), event("MIGRATION", "failed"), event("RESUME"))).toBe("stayed");
  expect(after(begun, event("MIGRATION", "cancelled"))).toBe("stayed");
  expect(after(event("STOP"), event("RESUME"), begun)).toBe("streaming");
  expect(after({ kind: "overdue" })).toBe("stayed");
  expect(after(begun, { kind: "overdue" })).toBe("streaming");
});

test("what no event told is learnt by asking", () => {
  expect(after(answer("running", true))).toBe("streaming");
  expect(after(answer("postmigrate", false))).toBe("stopped");
  expect(after(begun, answer("running", false))).toBe("stayed");
  expect(after(begun, answer("postmigrate", false))).toBe("stopped");
  expect(after(begun, event("STOP"), answer("running", false))).toBe("stayed");
  expect(after(begun, event("STOP"), answer("paused", true))).toBe("stopped");
  expect(after(answer("running", false))).toBe("awaited");
  expect(after(answer("paused", true), answer("paused", false))).toBe("stayed");
  expect(after(begun, event("STOP"), answer("postmigrate", false))).toBe("stopped");
});

test("an end stands, whatever is seen later", () => {
  const sight = fc.oneof(
    fc.constant<Sight>(ended),
    fc.constant<Sight>({ kind: "overdue" }),
    fc.record({
      kind: fc.constant("event" as const),
      name: fc.string(),
      status: fc.option(fc.string()),
    }),
    fc.record({
      kind: fc.constant("answer" as const),
      runState: fc.string(),
      isSending: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(fc.constantFrom<FollowedState>("left", "stayed"), sight, (state, seen) => {
      expect(nextFollowed(state, seen)).toBe(state);
    }),
  );
});

test("packets are copied from the beginning, not while the end is far, and never for long", () => {
  expect(armingStep(null, null)).toBe("arm");
  expect(armingStep(null, 1_000)).toBe("arm");
  expect(armingStep(null, 10_000)).toBe("keep");
  expect(armingStep(1_000, null)).toBe("keep");
  expect(armingStep(1_000, 10_000)).toBe("disarm");
  expect(armingStep(4_000, 1_000)).toBe("renew");
});

test("the earliest end is guessed from the fastest speed that was seen", () => {
  const end = new StreamEnd();
  expect(end.leastLeftMs).toBeNull();
  end.note(10_000_000, 0);
  expect(end.leastLeftMs).toBeNull();
  end.note(9_000_000, 100);
  expect(end.leastLeftMs).toBe(9_000_000 / 20_000 - 300);
  end.note(100_000_000, 200);
  expect(end.leastLeftMs).toBe(100_000_000 / 20_000 - 300);
  end.note(1_000, 10_000);
  expect(end.leastLeftMs).toBe(0);
});
