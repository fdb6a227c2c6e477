import { ExitCode, SojournError } from "../platform/errors.ts";

/**
 * Where a migration asks before it goes on: before anything is prepared; when everything is, and nothing is sent yet;
 * when little enough of memory is left, and packets for the guest are not copied yet. Never while the guest stands.
 */
export const gatePoints = ["planned", "prepared", "armed"] as const;

export type GatePoint = (typeof gatePoints)[number];

/** What gates are asked about. Figures that are not known at that point are null. */
export interface GateQuestion {
  point: GatePoint;
  migration: string;
  guest: string;
  from: string;
  to: string;
  tunnel: string;
  predictedBlackoutMs: number | null;
}

/** What was heard of one gate, or decided in its place. */
export interface GateNote {
  gate: string;
  /** `asked` when its waiting begins; the last one is `allow` or `deny`. */
  decision: "asked" | "allow" | "deny" | "delay";
  /** False when the gate has not said so: its configured default. */
  answered: boolean;
  reason: string | null;
  /** Since it was first asked at this point. */
  waitedMs: number;
}

/** A gate that a migration will ask. */
export interface PlannedGate {
  gate: string;
  points: GatePoint[];
}

/** Whoever has a say in whether migrations go on. */
export interface Gates {
  /** Whether anybody is to be asked. Quick: with nobody to ask a migration loses no time. */
  concerns(point: GatePoint, guest: string): boolean;
  /** Who is asked about a guest, and where: for plans. */
  of(guest: string): PlannedGate[];
  /**
   * Resolves once all gates of this point allow the migration; `tell` is called for each thing that is heard.
   * @throws DeniedByGate as soon as one denies it; the signal's reason.
   */
  ask(question: GateQuestion, signal: AbortSignal, tell: (note: GateNote) => void): Promise<void>;
}

/** For a host without gates. */
export const noGates: Gates = { concerns: () => false, of: () => [], ask: async () => {} };

/** Code of a migration that a gate has denied: nobody but its owner can make it pass. */
export const deniedByGate = "SOJ_DENIED_BY_GATE";

/** A gate's word against the migration. */
export class DeniedByGate extends SojournError {
  constructor(point: GatePoint, { gate, answered, reason }: GateNote) {
    const why = reason === null ? "" : `: ${reason}`;
    const who = answered ? "" : " by its default";
    super(deniedByGate, `gate ${gate} denied it at ${point}${who}${why}`, {
      exitCode: ExitCode.rolledBack,
      httpStatus: 409,
      hint: answered
        ? `ask whoever is behind gate ${gate}; it is configured as [[gates]] at the host that the guest was to leave`
        : `see why gate ${gate} gave no answer; at the host that the guest was to leave, [[gates]] has its target, and on_no_answer and deadline_ms decide without one`,
    });
  }
}
