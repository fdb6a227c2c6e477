import { describe, expect, test } from "vitest";
import { isEnded, transition } from "../../../src/migrator/transition.ts";
import { cancelledByUser } from "../../../src/migrator/transition-steps.ts";
import {
  type EventType,
  events,
  later,
  type StateName,
  states,
  table,
} from "./transition-table.ts";

describe.each(Object.entries(table))("in state %s", (stateName, row) => {
  test.each(Object.entries(row))("%s", (eventType, expected) => {
    const state = states[stateName as StateName];
    const next = transition(state, events[eventType as EventType]);
    if (expected === "-") {
      expect(next).toEqual({ state, effects: [] });
      return;
    }
    const name = isEnded(next.state) ? `ended ${next.state.outcome}` : next.state.name;
    expect([name, next.effects]).toEqual(expected);
  });
});

test("the table holds every state and every event", () => {
  expect(Object.keys(table).sort()).toEqual(Object.keys(states).sort());
  for (const row of Object.values(table)) {
    expect(Object.keys(row).sort()).toEqual(Object.keys(events).sort());
  }
});

test("a roll-back remembers why it began, and a cancellation ends as one", () => {
  const cancelled = transition(states.precopy, events["cancel-requested"]).state;
  expect(transition(cancelled, events["rolled-back"]).state).toEqual({
    name: "ended",
    outcome: "cancelled",
    failure: cancelledByUser,
  });
  const lost = transition(cancelled, events["guest-gone"]).state;
  expect(transition(lost, events["rolled-back"]).state).toEqual({
    name: "ended",
    outcome: "guest-lost",
    failure: later,
  });
});
