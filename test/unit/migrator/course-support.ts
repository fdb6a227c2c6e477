import type { PolicyLimits } from "../../../src/migrator/convergence-policy.ts";

/** A link of which nothing is known. */
export const unknownLink = {
  ...{ capacityBytesPerSecond: 0, limitBytesPerSecond: 0 },
  heldToBytesPerSecond: () => 0,
  unsentBytes: () => 0,
};

/** What the configuration has by default. */
export const limits: PolicyLimits = {
  ...{ policy: "balanced", postCopy: false },
  ...{ downtimeLimitMs: 300, finishLimitMs: 2_000, minimumPasses: 2 },
};
