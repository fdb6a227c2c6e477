import type { GateQuestion } from "../../migrator/gates.ts";

/** What goes over the wire, or to a program's standard input. */
export interface AskedQuestion {
  type: "gate";
  /** The same for every repetition of this question; another one after each delay. */
  id: string;
  gate: string;
  point: GateQuestion["point"];
  migration: { id: string; guest: string; from: string; to: string; tunnel: string };
  /** Null before anything was sent. */
  predicted_blackout_ms: number | null;
  /** Since it was first asked at this point. */
  waited_ms: number;
  deadline_ms: number;
  on_no_answer: "allow" | "deny";
}

/** @param turn from 1, counts the delays. */
export function questionFor(
  gate: { name: string; deadlineMs: number; onNoAnswer: "allow" | "deny" },
  { point, migration: id, guest, from, to, tunnel, predictedBlackoutMs }: GateQuestion,
  turn: number,
  waitedMs: number,
): AskedQuestion {
  return {
    type: "gate",
    id: `${id}.${point}.${gate.name}.${turn}`,
    gate: gate.name,
    point,
    migration: { id, guest, from, to, tunnel },
    predicted_blackout_ms: predictedBlackoutMs,
    waited_ms: Math.round(waitedMs),
    deadline_ms: gate.deadlineMs,
    on_no_answer: gate.onNoAnswer,
  };
}
