/** A time without arrivals, from one arrival to the next. */
export interface Hole {
  startMs: number;
  endMs: number;
}

/**
 * Longest hole that touches the window, with its whole length also where it reaches outside, or null
 * when none does. A hole that is still open at the end of the series has to be among `holes` too.
 */
export function longestHoleTouching(
  holes: Iterable<Hole>,
  fromMs: number,
  toMs: number,
): number | null {
  return longest(holes, (hole) => hole.endMs > fromMs && hole.startMs < toMs);
}

/** Longest hole that lies inside the window, or null when none does. */
export function longestHoleWithin(
  holes: Iterable<Hole>,
  fromMs: number,
  toMs: number,
): number | null {
  return longest(holes, (hole) => hole.startMs >= fromMs && hole.endMs <= toMs);
}

/** The holes between sorted arrivals, and the one from the last arrival to `endMs`. */
export function* holesBetween(arrivalsMs: Float64Array, endMs: number): Generator<Hole> {
  for (let index = 1; index < arrivalsMs.length; index++) {
    yield { startMs: arrivalsMs[index - 1] as number, endMs: arrivalsMs[index] as number };
  }
  const last = arrivalsMs.at(-1);
  if (last !== undefined && endMs > last) yield { startMs: last, endMs };
}

function longest(holes: Iterable<Hole>, matches: (hole: Hole) => boolean): number | null {
  let result: number | null = null;
  for (const hole of holes) {
    if (matches(hole)) result = Math.max(result ?? 0, hole.endMs - hole.startMs);
  }
  return result;
}
