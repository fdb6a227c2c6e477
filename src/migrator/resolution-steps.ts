import type { Keep } from "./resolution-verdict.ts";

/** What a decision would do, as sentences for the operator who is about to make it. Pure. */
export function plannedSteps(decision: {
  keep: Keep;
  role: "source" | "destination";
  isOpen: boolean;
  guest: string;
  host: string;
  other: string;
  isReachable: boolean;
  /** The guest has no process at `host`. */
  isGone: boolean;
  /** It was handed over by post-copy, or was about to be: a part of its memory may be at the source alone. */
  isPostCopy: boolean;
}): string[] {
  const { keep, role, isOpen, guest, host, other, isReachable, isGone, isPostCopy } = decision;
  if (!isOpen) {
    return [
      `${host} writes the decision into its journal, and may move ${guest} again; the guest stays as it is`,
    ];
  }
  if (role === "destination") {
    return keep === "destination"
      ? [
          `${host} writes the decision into its journal`,
          isPostCopy
            ? `${guest} goes on at ${host} if all of its memory is here; else it is ended, for the rest never comes`
            : `${guest} goes on at ${host}, which does not wait for ${other} any more`,
        ]
      : [
          `${host} writes the decision into its journal`,
          `the process that was prepared for ${guest} at ${host} ends, and its network is removed`,
        ];
  }
  const first = isReachable
    ? [`${other} is asked for its final word, and what it says is done; only if it refuses to say:`]
    : [`${other} does not answer: be sure that ${riskOf(keep, guest, other)}`];
  const written = `${host} writes the decision into its journal; it cannot be taken back`;
  const effects =
    keep === "source"
      ? [
          isGone
            ? `${guest} has no process at ${host} any more: it is lost, and can be started anew`
            : `${guest} goes on at ${host}, and its network comes back here`,
          `once ${other} is heard from, its copy of ${guest} is ended, whatever it did meanwhile`,
        ]
      : [
          `the stopped copy of ${guest} at ${host} is ended for good, and its traffic goes to ${other}`,
          `once ${other} is heard from, it is told that ${guest} is its own`,
          ...(isPostCopy
            ? [
                `memory of ${guest} that is not at ${other} yet is lost, and then ${guest} ends there`,
              ]
            : []),
        ];
  return [...first, written, ...effects];
}

function riskOf(keep: Keep, guest: string, other: string): string {
  return keep === "source"
    ? `${other} does not run ${guest} (switched off, cut off from its network): else it runs twice`
    : `${other} runs ${guest}: else it is lost`;
}
