/** Rates are of what is on the wire, in bytes per second. */
export interface LinkRates {
  /** Of guests' memory. */
  stream: number;
  /** Of everything that leaves through the device, streams included. */
  total: number;
}

/** What a stream may take of a link that others use too. */
export interface ShareRules {
  /** Bytes per second; null where nobody knows it: then the most that was seen stands for it. */
  capacity: number | null;
  /** Of the capacity, left to others as far as they want it: 0 to 0.95. */
  guestShare: number;
  /** Bytes per second that a stream never exceeds; 0: as fast as the link takes it. */
  maxBandwidth: number;
}

/** What is known of a link after some looks at it, in bytes per second. */
export interface ShareState {
  /** For all streams together; null for no limit. */
  limit: number | null;
  /** Averages of late; null before the first look. */
  rates: LinkRates | null;
  /** What others would send if nobody was in their way, as far as they have shown it lately. */
  demand: number;
  highestTotal: number;
}

/** Between two looks at a link. */
export const shareIntervalMs = 200;

/** Of the capacity, kept free, so that others can show that they want more; the second where there are none. */
const [headroom, headroomAlone] = [0.15, 0.05];

/**
 * Of the capacity. A link never carries all of it: frames have headers of their own, and sessions that lose packets pause.
 * Less than this is what the headroom leaves, or it would be taken for others' demand.
 */
const congestedFrom = 0.9;

/** Of the capacity. Less is the acknowledgements, the daemons and whatever else a host says. */
const competingFrom = 0.05;

/** Where the capacity is not known: others that have come down to this part of their demand suffer. */
const sufferingBelow = 0.8;

/** What others have wanted is forgotten by half in two seconds. */
const demandDecay = 0.5 ** (shareIntervalMs / 2000);

/** Of the latest look in the averages: QEMU sends in bursts, one every 100 ms. */
const weightOfLatest = 0.5;

/** Before the first look; `others` (bytes per second) is what left through the device without the stream. Pure. */
export function beginShare(others: number, rules: ShareRules): ShareState {
  const state = { limit: null, rates: null, demand: others, highestTotal: others };
  return { ...state, limit: rules.capacity === null ? null : limitOf(state, rules) };
}

/**
 * Judges one more interval of the link. Others that use the link to its brim are taken to want their share, and the stream
 * keeps to its own; what they leave is the stream's but for a headroom. Pure.
 */
export function nextShare(before: ShareState, latest: LinkRates, rules: ShareRules): ShareState {
  const rates = averaged(before.rates, latest);
  const highestTotal = Math.max(before.highestTotal, latest.total);
  const capacity = rules.capacity ?? highestTotal;
  const others = Math.max(0, rates.total - rates.stream);
  const competes = others > competingFrom * capacity;
  const isFull = rates.total > congestedFrom * capacity;
  const suffers = rules.capacity !== null || others < sufferingBelow * before.demand;
  const isCongested = competes && isFull && suffers;
  const shown = Math.max(others, demandDecay * before.demand);
  const demand = isCongested ? Math.max(shown, rules.guestShare * capacity) : shown;
  const state = { limit: before.limit, rates, demand, highestTotal };
  const limits = rules.capacity !== null || isCongested || (before.limit !== null && competes);
  return { ...state, limit: limits ? limitOf(state, rules) : null };
}

function limitOf(state: Omit<ShareState, "limit">, rules: ShareRules): number {
  const capacity = rules.capacity ?? state.highestTotal;
  const isAlone = state.demand < competingFrom * capacity;
  const left = capacity * (1 - (isAlone ? headroomAlone : headroom)) - state.demand;
  const limit = Math.max((1 - rules.guestShare) * capacity, left);
  return rules.maxBandwidth === 0 ? limit : Math.min(limit, rules.maxBandwidth);
}

function averaged(before: LinkRates | null, latest: LinkRates): LinkRates {
  if (before === null) return latest;
  const mean = (old: number, now: number) => old + weightOfLatest * (now - old);
  return { stream: mean(before.stream, latest.stream), total: mean(before.total, latest.total) };
}
