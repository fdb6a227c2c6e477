import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type {
  Effect,
  Failure,
  MigrationEvent,
  MigrationState,
} from "../../../src/migrator/migration-state.ts";
import {
  cancelledByUser,
  isEnded,
  isPromised,
  transition,
} from "../../../src/migrator/transition.ts";

type StateName = MigrationState["name"];
type EventType = MigrationEvent["type"];

const undo: Effect[] = ["undo-at-source", "undo-at-destination", "record-undone"];
const renew: Effect[] = ["renew-destination", "start-precopy"];
const prepare: Effect[] = ["record-begin", "prepare-destination", "prepare-source", "pass-barrier"];
const arm: Effect[] = ["arm-copy", "record-pausing", "stop-guest", "await-pre-switchover"];
const promise: Effect[] = [
  "record-promise",
  "change-route",
  "continue-migration",
  "await-takeover",
];
const retire: Effect[] = ["verify-traffic", "retire-source", "record-completed"];

/** `-`: the event means nothing in this state. Otherwise the next state (`ended` with its outcome) and effects. */
type Expected = "-" | [state: StateName | `ended ${string}`, effects: readonly Effect[]];

const backCancelled: Expected = ["rolling-back", undo];
const back: Expected = ["rolling-back", undo];
const proven: Expected = ["rolling-back", ["record-destination-aborted", ...undo]];
const settle: Expected = ["settling", ["settle-with-destination"]];
const forward: Expected = ["verifying", retire];
const inDoubt: Expected = ["ended in-doubt", ["record-in-doubt"]];

/** Every pair; the types refuse a table in which one is missing. */
const table: Record<StateName, Record<EventType, Expected>> = {
  planned: {
    started: ["preparing", prepare],
    prepared: "-",
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": "-",
    retired: "-",
    "rolled-back": "-",
    failed: ["ended rolled-back", []],
    "cancel-requested": ["ended cancelled", []],
    "guest-gone": ["ended guest-lost", []],
    "destination-aborted": "-",
    "destination-unreachable": "-",
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  preparing: {
    started: "-",
    prepared: ["prepared", ["start-precopy"]],
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": "-",
    retired: "-",
    "rolled-back": "-",
    failed: back,
    "cancel-requested": backCancelled,
    "guest-gone": back,
    "destination-aborted": back,
    "destination-unreachable": back,
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  prepared: {
    started: "-",
    prepared: "-",
    "precopy-started": ["precopy", ["await-convergence"]],
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": "-",
    retired: "-",
    "rolled-back": "-",
    failed: back,
    "cancel-requested": backCancelled,
    "guest-gone": back,
    "destination-aborted": back,
    "destination-unreachable": back,
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  precopy: {
    started: "-",
    prepared: "-",
    "precopy-started": "-",
    converging: ["armed", arm],
    "stopped-by-hypervisor": ["prepared", renew],
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": "-",
    retired: "-",
    "rolled-back": "-",
    failed: back,
    "cancel-requested": backCancelled,
    "guest-gone": back,
    "destination-aborted": back,
    "destination-unreachable": back,
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  armed: {
    started: "-",
    prepared: "-",
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": ["prepared", renew],
    "pre-switchover": ["switchover", promise],
    "not-promised": "-",
    "destination-resumed": "-",
    retired: "-",
    "rolled-back": "-",
    failed: back,
    "cancel-requested": backCancelled,
    "guest-gone": back,
    "destination-aborted": back,
    "destination-unreachable": back,
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  switchover: {
    started: "-",
    prepared: "-",
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": back,
    "destination-resumed": forward,
    retired: "-",
    "rolled-back": "-",
    failed: settle,
    "cancel-requested": "-",
    "guest-gone": settle,
    "destination-aborted": proven,
    "destination-unreachable": settle,
    "kept-at-source": ["rolling-back", ["undo-at-source", "record-undone"]],
    "kept-at-destination": ["verifying", ["yield-to-destination", "record-completed"]],
  },
  settling: {
    started: "-",
    prepared: "-",
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": forward,
    retired: "-",
    "rolled-back": "-",
    failed: inDoubt,
    "cancel-requested": "-",
    "guest-gone": "-",
    "destination-aborted": proven,
    "destination-unreachable": inDoubt,
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  verifying: {
    started: "-",
    prepared: "-",
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": "-",
    retired: ["ended completed", []],
    "rolled-back": "-",
    failed: ["ended completed", []],
    "cancel-requested": "-",
    "guest-gone": ["ended guest-lost", []],
    "destination-aborted": "-",
    "destination-unreachable": "-",
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  "rolling-back": {
    started: "-",
    prepared: "-",
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": "-",
    retired: "-",
    "rolled-back": ["ended rolled-back", []],
    failed: inDoubt,
    "cancel-requested": "-",
    "guest-gone": ["rolling-back", ["undo-at-destination", "record-undone"]],
    "destination-aborted": "-",
    "destination-unreachable": "-",
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
  ended: {
    started: "-",
    prepared: "-",
    "precopy-started": "-",
    converging: "-",
    "stopped-by-hypervisor": "-",
    "pre-switchover": "-",
    "not-promised": "-",
    "destination-resumed": "-",
    retired: "-",
    "rolled-back": "-",
    failed: "-",
    "cancel-requested": "-",
    "guest-gone": "-",
    "destination-aborted": "-",
    "destination-unreachable": "-",
    "kept-at-source": "-",
    "kept-at-destination": "-",
  },
};

const earlier: Failure = { step: "first", code: "SOJ_FIRST", message: "first", hint: null };
const later: Failure = { step: "second", code: "SOJ_SECOND", message: "second", hint: "look" };

const states: Record<StateName, MigrationState> = {
  planned: { name: "planned" },
  preparing: { name: "preparing" },
  prepared: { name: "prepared" },
  precopy: { name: "precopy" },
  armed: { name: "armed" },
  switchover: { name: "switchover" },
  settling: { name: "settling", failure: earlier },
  verifying: { name: "verifying" },
  "rolling-back": { name: "rolling-back", ending: "rolled-back", failure: earlier },
  ended: { name: "ended", outcome: "completed", failure: null },
};

const events: Record<EventType, MigrationEvent> = {
  started: { type: "started" },
  prepared: { type: "prepared" },
  "precopy-started": { type: "precopy-started" },
  converging: { type: "converging" },
  "stopped-by-hypervisor": { type: "stopped-by-hypervisor" },
  "pre-switchover": { type: "pre-switchover" },
  "not-promised": { type: "not-promised", failure: later },
  "destination-resumed": { type: "destination-resumed" },
  retired: { type: "retired" },
  "rolled-back": { type: "rolled-back" },
  failed: { type: "failed", failure: later },
  "cancel-requested": { type: "cancel-requested" },
  "guest-gone": { type: "guest-gone", failure: later },
  "destination-aborted": { type: "destination-aborted", failure: later },
  "destination-unreachable": { type: "destination-unreachable", failure: later },
  "kept-at-source": { type: "kept-at-source", failure: later },
  "kept-at-destination": { type: "kept-at-destination" },
};

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

const anyEvent = fc.constantFrom(...Object.values(events));
const schedule = fc.array(anyEvent, { maxLength: 60 });

/** The states of a schedule, from `planned` on, each with the event that led to it. */
function walk(schedule: readonly MigrationEvent[]) {
  let state: MigrationState = states.planned;
  return schedule.map((event) => {
    const before = state;
    const next = transition(state, event);
    state = next.state;
    return { before, event, ...next };
  });
}

describe("whatever happens in whatever order", () => {
  /** The destination's, in writing, or an operator's. */
  const isWord = ({ type }: MigrationEvent) =>
    type === "destination-aborted" || type === "kept-at-source";

  test("after the promise only a written abort of the destination, or an operator, leads back, or that it could not be given", () => {
    fc.assert(
      fc.property(schedule, (events) => {
        for (const { before, event, state } of walk(events)) {
          if (!isPromised(before) || state.name !== "rolling-back") continue;
          if (event.type === "not-promised") expect(before.name).toBe("switchover");
          else expect(isWord(event)).toBe(true);
          expect(before.name).not.toBe("verifying");
        }
      }),
    );
  });

  test("after the promise the source's guest is given back only once the destination has aborted, or an operator decides", () => {
    fc.assert(
      fc.property(schedule, (events) => {
        let promised = false;
        let aborted = false;
        for (const { before, event, effects } of walk(events)) {
          aborted ||= isPromised(before) && (isWord(event) || event.type === "not-promised");
          if (effects.includes("undo-at-source")) expect(promised && !aborted).toBe(false);
          promised ||= effects.includes("record-promise");
        }
      }),
    );
  });

  test("the promise is given once, and before the stream is let go", () => {
    fc.assert(
      fc.property(schedule, (events) => {
        const effects = walk(events).flatMap((step) => step.effects);
        const promises = effects.filter((effect) => effect === "record-promise").length;
        const releases = effects.filter((effect) => effect === "continue-migration").length;
        expect(promises).toBeLessThanOrEqual(1);
        expect(releases).toBe(promises);
        if (promises === 1) {
          expect(effects.indexOf("record-promise")).toBeLessThan(
            effects.indexOf("continue-migration"),
          );
        }
      }),
    );
  });

  test("an end is final", () => {
    fc.assert(
      fc.property(schedule, anyEvent, (events, another) => {
        const last = walk(events).at(-1)?.state ?? states.planned;
        if (!isEnded(last)) return;
        expect(transition(last, another)).toEqual({ state: last, effects: [] });
      }),
    );
  });

  test("a step that ends, one way or another, leads towards an end", () => {
    // What the executor can report for the last effect of each state; QEMU's own stop is bounded by it.
    const reports: Record<StateName, EventType[]> = {
      planned: ["started"],
      preparing: ["prepared", "failed", "cancel-requested", "guest-gone"],
      prepared: ["precopy-started", "failed", "cancel-requested", "guest-gone"],
      precopy: ["converging", "failed", "cancel-requested", "guest-gone"],
      armed: ["pre-switchover", "failed", "cancel-requested", "guest-gone"],
      switchover: ["destination-resumed", "destination-aborted", "failed"],
      settling: ["destination-resumed", "destination-aborted", "destination-unreachable"],
      verifying: ["retired", "failed", "guest-gone"],
      "rolling-back": ["rolled-back", "failed", "guest-gone"],
      ended: [],
    };
    const longest = (state: MigrationState, seen: readonly string[]): number => {
      if (isEnded(state)) return 0;
      const key = JSON.stringify(state);
      expect(seen).not.toContain(key);
      const lengths = reports[state.name]
        .filter((type) => !(type === "guest-gone" && isLost(state)))
        .map((type) => 1 + longest(transition(state, events[type]).state, [...seen, key]));
      return Math.max(...lengths);
    };
    expect(longest(states.planned, [])).toBeLessThanOrEqual(10);
  });
});

function isLost(state: MigrationState): boolean {
  return state.name === "rolling-back" && state.ending === "guest-lost";
}
