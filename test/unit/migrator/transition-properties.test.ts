import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MigrationEvent, MigrationState } from "../../../src/migrator/migration-state.ts";
import { isEnded, isPromised, transition } from "../../../src/migrator/transition.ts";
import { type EventType, events, type StateName, states } from "./transition-table.ts";

const anyEvent = fc.constantFrom(...Object.values(events), {
  type: "pre-switchover",
  postCopy: true,
} as const);
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
          expect(["verifying", "post-copy"]).not.toContain(before.name);
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

  test("by post-copy a migration is verified, and its source's copy ended, only once all memory is there, or the guest is lost", () => {
    fc.assert(
      fc.property(schedule, (events) => {
        let isPostCopy = false;
        let isOver = false;
        for (const { before, event, effects } of walk(events)) {
          isPostCopy ||= effects.includes("record-post-copy");
          isOver ||= before.name === "post-copy" && event.type.startsWith("post-copy-");
          isOver ||= event.type === "kept-at-destination";
          if (effects.includes("record-completed")) expect(isPostCopy && !isOver).toBe(false);
        }
      }),
    );
  });

  test("a guest whose memory could not follow is lost, whatever cleaning up meets", () => {
    const { state } = transition(states["post-copy"], events["post-copy-lost"]);
    for (const type of ["retired", "failed", "guest-gone"] as const) {
      const last = transition(state, events[type]).state;
      expect(isEnded(last) && last.outcome).toBe("guest-lost");
    }
  });

  test("gates are asked only while the guest runs: before the stop, or once a stop is taken back", () => {
    fc.assert(
      fc.property(schedule, (events) => {
        let mayStand = false;
        for (const effect of walk(events).flatMap((step) => step.effects)) {
          if (effect.startsWith("ask-at-")) expect(mayStand).toBe(false);
          if (effect === "stop-guest") mayStand = true;
          if (effect === "renew-destination" || effect === "undo-at-source") mayStand = false;
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
      planned: ["admitted", "failed", "cancel-requested", "guest-gone"],
      preparing: ["prepared", "failed", "cancel-requested", "guest-gone"],
      prepared: ["precopy-started", "failed", "cancel-requested", "guest-gone"],
      precopy: ["converging", "failed", "cancel-requested", "guest-gone"],
      armed: ["pre-switchover", "failed", "cancel-requested", "guest-gone"],
      switchover: ["destination-resumed", "destination-aborted", "failed"],
      "post-copy": ["post-copy-completed", "post-copy-lost", "failed"],
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
