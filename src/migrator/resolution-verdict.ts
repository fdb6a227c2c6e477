import type { JournalStep } from "./journal-record.ts";
import type { HostMigrationFacts } from "./procedures.ts";

/** The side that an operator keeps the guest at. */
export type Keep = "source" | "destination";

/** What a decision rests on. */
export interface ResolutionCase {
  keep: Keep;
  /** What the host that is asked is to the migration. */
  role: "source" | "destination";
  /** The guest's record says that the migration has not ended here. */
  isOpen: boolean;
  here: HostMigrationFacts;
  /** Null when the other side cannot be asked. */
  there: HostMigrationFacts | null;
}

/**
 * Why an operator's decision is refused; null when it may be carried out. The written word of either side wins, and
 * what can be settled without an operator is not for one to decide. Pure.
 */
export function refusalOf({ keep, role, isOpen, here, there }: ResolutionCase): string | null {
  const own = stepsOf(here);
  const other = stepsOf(there);
  const source = role === "source" ? own : other;
  const destination = role === "source" ? other : own;
  if (source.has("resolved-source") && keep === "destination") return decided("source");
  if (source.has("resolved-destination") && keep === "source") return decided("destination");
  if (keep === "source") {
    if (destination.has("takeover") && !destination.has("superseded")) {
      return "the destination has taken the guest over, in writing";
    }
    if (source.has("taken-over-by-destination")) {
      return "the source has the destination's word that it has taken the guest over";
    }
    if ((role === "source" ? here : there)?.handed_over) {
      return "the source has handed the guest over by post-copy, and QEMU never runs its copy again";
    }
    if (!destination.has("abort") && !destination.has("superseded")) {
      const seen = sightOf(role === "source" ? there : here);
      if (seen !== null) return `${seen} at the destination`;
    }
  } else {
    if (destination.has("abort")) return "the destination has given the guest up, in writing";
    if (source.has("aborted-by-destination")) {
      return "the source has the destination's word that it has given the guest up";
    }
    if (destination.has("superseded")) return decided("source");
    if (source.has("undone")) return "the guest went on at the source";
    if (!source.has("taken-over-by-destination")) {
      const seen = sightOf(role === "source" ? here : there);
      if (seen !== null) return `${seen} at the source`;
    }
    if (isKnownUnpromised(role === "source" ? here : there)) {
      return "the source never promised the guest to the destination: it can run at the source only";
    }
  }
  if (here.held) return null;
  if (!isOpen) return "nothing of it is left to decide here";
  if (role === "source") return null;
  if (!own.has("takeover")) {
    // One that may be handed over by post-copy is waited for, however long its source is silent.
    const waits = keep === "source" && own.has("post-copy") && there === null;
    return waits ? null : "the destination decides by itself, within its lease";
  }
  return there === null ? null : "its source answers, and ends it by itself";
}

/** Its journal is whole, and holds no promise. */
function isKnownUnpromised(source: HostMigrationFacts | null): boolean {
  return source !== null && !source.held && !stepsOf(source).has("promise");
}

/** How the guest is seen where it is not to be kept; null when it does not run there. A damaged journal tells nothing. */
function sightOf(facts: HostMigrationFacts | null): string | null {
  if (facts?.run_state === "running") return "the guest runs";
  if (!facts?.held || facts.run_state !== "unknown") return null;
  return "nobody knows whether the guest runs";
}

function decided(side: Keep): string {
  return `an operator has decided for the ${side} already`;
}

function stepsOf(facts: HostMigrationFacts | null): Set<JournalStep> {
  return new Set(facts?.journal.map(({ step }) => step as JournalStep) ?? []);
}
