import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  beginShare,
  type LinkRates,
  nextShare,
  type ShareRules,
} from "../../../src/migrator/guest-share.ts";

const capacity = 25e6;
const known: ShareRules = { capacity, guestShare: 0.5, maxBandwidth: 0 };

/** A link on which a stream and others meet; each interval, others send `demand` as far as they get it. */
function simulate(
  rules: ShareRules,
  demands: readonly number[],
  link = capacity,
): { limit: number | null; others: number; stream: number }[] {
  let state = beginShare(demands[0] ?? 0, rules);
  return demands.map((demand) => {
    const wish = Math.min(state.limit ?? Number.POSITIVE_INFINITY, link);
    // Where both want more than there is, TCP gives either about the half.
    const others = Math.min(demand, Math.max(link - wish, Math.min(link / 2, demand)));
    const stream = Math.min(wish, link - others);
    state = nextShare(state, { stream, total: stream + others }, rules);
    return { limit: state.limit, others, stream };
  });
}

const repeat = (value: number, times: number) => Array<number>(times).fill(value);

describe("a link of known capacity", () => {
  test("a stream that is alone takes all but a headroom", () => {
    const last = simulate(known, repeat(0, 20)).at(-1);
    expect(last?.limit).toBeCloseTo(0.95 * capacity, -3);
  });

  test("others that want everything get their share at once when they were there before", () => {
    for (const guestShare of [0.25, 0.5, 0.75]) {
      const looks = simulate({ ...known, guestShare }, repeat(capacity, 20));
      for (const { limit } of looks) expect(limit).toBeCloseTo((1 - guestShare) * capacity, -3);
    }
  });

  test("others that begin later have their share within a second", () => {
    const looks = simulate({ ...known, guestShare: 0.75 }, [
      ...repeat(0, 10),
      ...repeat(capacity, 20),
    ]);
    for (const { others } of looks.slice(15))
      expect(others).toBeGreaterThanOrEqual(0.75 * capacity);
  });

  test("what others leave of their share is the stream's", () => {
    const looks = simulate({ ...known, guestShare: 0.75 }, repeat(0.2 * capacity, 20));
    expect(looks.at(-1)?.limit).toBeCloseTo(0.65 * capacity, -3);
    expect(looks.at(-1)?.others).toBe(0.2 * capacity);
  });

  test("it comes back to the stream when others have stopped, not at once", () => {
    const limits = simulate(known, [...repeat(capacity, 10), ...repeat(0, 40)]).map(
      ({ limit }) => (limit ?? 0) / capacity,
    );
    expect(limits[12]).toBeCloseTo(0.5, 1);
    expect(limits.at(-1)).toBeGreaterThan(0.8);
  });

  test("little traffic of others does not slow the stream down to its share", () => {
    const rates = { stream: 0.9 * capacity, total: 0.94 * capacity };
    let state = beginShare(0, known);
    for (let look = 0; look < 10; look += 1) state = nextShare(state, rates, known);
    expect(state.limit).toBeGreaterThan(0.8 * capacity);
  });
});

describe("a link whose capacity nobody knows", () => {
  const unknown: ShareRules = { ...known, capacity: null };

  test("the stream is not limited while others do not suffer", () => {
    for (const demand of [0, 0.1 * capacity, 0.4 * capacity]) {
      const looks = simulate(unknown, repeat(demand, 30));
      expect(looks.map(({ limit }) => limit)).toEqual(repeat(0, 30).map(() => null));
    }
  });

  test("others that come down by the stream have their share of the most that was seen", () => {
    const looks = simulate({ ...unknown, guestShare: 0.75 }, repeat(0.9 * capacity, 20));
    for (const { others } of looks.slice(3)) expect(others).toBeGreaterThan(0.7 * capacity);
  });

  test("the limit goes with the others", () => {
    const demands = [...repeat(0.9 * capacity, 10), ...repeat(0, 20)];
    expect(simulate({ ...unknown, guestShare: 0.75 }, demands).at(-1)?.limit).toBeNull();
  });
});

describe("whatever is measured", () => {
  const rate = fc.double({ min: 0, max: 1e10, noNaN: true });
  const rules = fc.record({
    capacity: fc.option(fc.double({ min: 1e3, max: 1e10, noNaN: true })),
    guestShare: fc.double({ min: 0, max: 0.95, noNaN: true }),
    maxBandwidth: fc.oneof(fc.constant(0), fc.double({ min: 1, max: 1e10, noNaN: true })),
  });

  test("the stream has at least what is not the guests', and never more than it may", () => {
    fc.assert(
      fc.property(
        rules,
        rate,
        fc.array(fc.record<LinkRates>({ stream: rate, total: rate }), { maxLength: 50 }),
        (rule, others, looks) => {
          let state = beginShare(others, rule);
          for (const look of looks) {
            state = nextShare(state, look, rule);
            const floor = (1 - rule.guestShare) * (rule.capacity ?? state.highestTotal);
            const most = rule.maxBandwidth === 0 ? Number.POSITIVE_INFINITY : rule.maxBandwidth;
            const { limit } = state;
            if (rule.capacity !== null) expect(limit).not.toBeNull();
            if (limit === null) continue;
            expect(limit).toBeGreaterThanOrEqual(Math.min(floor, most) * 0.999999);
            expect(limit).toBeLessThanOrEqual(most);
          }
        },
      ),
    );
  });
});
