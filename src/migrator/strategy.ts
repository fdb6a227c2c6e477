/** Ways to bring a guest's traffic to the destination. All but `lossless` lose packets: they are for benchmarks. */
export const strategyNames = [
  "lossless",
  "flip",
  "post-resume",
  "after-return",
  "script-2009",
] as const;

export type StrategyName = (typeof strategyNames)[number];

/** A strategy as a request names it. */
export interface Strategy {
  name: StrategyName;
  /** With `script-2009`, and only there: from the start of the stream to the route change (memory ÷ bandwidth). */
  delay_ms?: number;
}

/** Longest delay (ms) that a request may ask for. */
export const longestDelayMs = 600_000;

/** True when there is a delay exactly where one belongs. */
export function hasItsDelay({ name, delay_ms }: { name: string; delay_ms?: number | undefined }) {
  if (name !== "script-2009") return delay_ms === undefined;
  return delay_ms !== undefined && delay_ms >= 0 && delay_ms <= longestDelayMs;
}

/** What a migration does unless a benchmark asks otherwise. */
export const lossless: Strategy = { name: "lossless" };

/**
 * When a strategy does what; who may run the guest, and when, is the same for all. `on-resume`: as soon
 * as the source hears that the destination runs the guest; `on-return`: when the source's QEMU has completed, by a
 * process, as a hook of the migration command would; `after-delay`: `delay_ms` after the stream's start.
 */
export interface Conduct {
  /** Packets are copied to the destination while the guest is armed. */
  copies: boolean;
  routeChange: "pre-switchover" | "on-resume" | "on-return" | "after-delay";
  /** The source's tunnel and routes are made after the stream's start, and unproven. */
  lateTunnel: boolean;
}

const early: Conduct = { copies: false, routeChange: "pre-switchover", lateTunnel: false };

const conducts: Record<StrategyName, Conduct> = {
  lossless: { ...early, copies: true },
  flip: early,
  "post-resume": { ...early, routeChange: "on-resume" },
  "after-return": { ...early, routeChange: "on-return" },
  "script-2009": { ...early, routeChange: "after-delay", lateTunnel: true },
};

/** When a strategy does what. */
export function conductOf({ name }: Strategy): Conduct {
  return conducts[name];
}

/** True when the traffic follows only after the guest runs at the destination. */
export function followsLate(strategy: Strategy): boolean {
  return conductOf(strategy).routeChange !== "pre-switchover";
}
