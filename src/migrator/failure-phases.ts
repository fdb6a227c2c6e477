import type { Effect } from "./migration-state.ts";
import type { Phase } from "./phases.ts";

/** The phase that a user knows a step by; null for one whose failures say themselves when they happened. */
const phaseOfStep: Readonly<Record<Effect, Phase | null>> = {
  "ask-at-planned": null,
  "record-begin": "preparing",
  "prepare-destination": "preparing",
  "prepare-source": "preparing",
  "pass-barrier": "preparing",
  "ask-at-prepared": null,
  "renew-destination": "prepared",
  "start-precopy": "precopy",
  "await-convergence": "precopy",
  "ask-at-armed": null,
  "converge-again": "precopy",
  "arm-copy": "armed",
  "disarm-copy": "armed",
  "record-pausing": "armed",
  "stop-guest": "armed",
  "await-pre-switchover": "armed",
  "record-post-copy": "armed",
  "record-promise": "armed",
  "change-route": "switchover",
  "continue-migration": "switchover",
  "await-takeover": "switchover",
  "await-post-copy": "resumed",
  "settle-with-destination": "switchover",
  "verify-traffic": "verifying",
  "retire-source": "verifying",
  "record-completed": "verifying",
  "yield-to-destination": "verifying",
  "undo-at-source": "rolling-back",
  "undo-at-destination": "rolling-back",
  "record-destination-aborted": "rolling-back",
  "record-undone": "rolling-back",
  "record-in-doubt": "switchover",
};

/** In which phase a step failed; null where that is not worth saying, as for a cancellation. Pure. */
export function failedPhase(step: string): Phase | null {
  return Object.hasOwn(phaseOfStep, step) ? phaseOfStep[step as Effect] : null;
}
