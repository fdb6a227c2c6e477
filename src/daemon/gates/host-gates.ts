import {
  DeniedByGate,
  type GateNote,
  type GatePoint,
  type GateQuestion,
  type Gates,
  type PlannedGate,
} from "../../migrator/gates.ts";
import { coversGuest } from "../guest-patterns.ts";
import { type ConfiguredGate, decisionOf } from "./configured-gate.ts";

/** A gate and when it is asked. */
export interface HostGate extends ConfiguredGate {
  points: readonly GatePoint[];
  /** Names, or beginnings of names with `*`. */
  guests: readonly string[];
}

/** The gates of this host: at each point all are asked at the same time, and one denial is enough. */
export class HostGates implements Gates {
  readonly #gates: readonly HostGate[];

  constructor(gates: readonly HostGate[]) {
    this.#gates = gates;
  }

  concerns(point: GatePoint, guest: string): boolean {
    return this.#gates.some((gate) => isAsked(gate, point, guest));
  }

  of(guest: string): PlannedGate[] {
    return this.#gates
      .filter(({ guests }) => coversGuest(guests, guest))
      .map(({ name, points }) => ({ gate: name, points: [...points] }));
  }

  async ask(
    question: GateQuestion,
    signal: AbortSignal,
    tell: (note: GateNote) => void,
  ): Promise<void> {
    const { point, guest } = question;
    const over = new AbortController();
    const goesOn = AbortSignal.any([signal, over.signal]);
    const hear = (note: GateNote) => {
      if (!goesOn.aborted) tell(note);
    };
    const decide = async (gate: HostGate) => {
      const note = await decisionOf(gate, question, goesOn, hear);
      hear(note);
      if (note.decision === "deny") throw new DeniedByGate(point, note);
    };
    const asked = this.#gates.filter((gate) => isAsked(gate, point, guest));
    try {
      await Promise.all(asked.map(decide));
    } finally {
      over.abort();
    }
  }
}

function isAsked({ points, guests }: HostGate, point: GatePoint, guest: string): boolean {
  return points.includes(point) && coversGuest(guests, guest);
}
