import { z } from "zod";
import { NoAnswer } from "./no-answer.ts";

/** Longest answer of a gate. */
export const longestAnswerBytes = 4096;

const longestReason = 500;
const longestDelayMs = 3_600_000;

const reason = z.string().max(4096).transform(shown).nullish();

/** What a gate may answer; members beyond these are left alone. */
const gateAnswer = z.discriminatedUnion("decision", [
  z.object({ decision: z.literal("allow"), reason }),
  z.object({ decision: z.literal("deny"), reason }),
  /** Asked again after `delay_ms`. */
  z.object({
    decision: z.literal("delay"),
    delay_ms: z.number().min(0).max(longestDelayMs),
    reason,
  }),
]);

export type GateAnswer = z.output<typeof gateAnswer>;

/** @throws NoAnswer for anything but an answer. */
export function parseAnswer(text: string): GateAnswer {
  if (Buffer.byteLength(text) > longestAnswerBytes) {
    throw new NoAnswer(`the answer is longer than ${longestAnswerBytes} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new NoAnswer(text.trim() === "" ? "the answer is empty" : "the answer is not JSON");
  }
  const parsed = gateAnswer.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join(".") || "the whole";
  throw new NoAnswer(`the answer is not understood: ${where}: ${issue?.message ?? "invalid"}`);
}

/** Somebody else's words for logs and terminals: one line, no control characters, a bounded length. */
export function shown(text: string): string {
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.length <= longestReason
    ? line
    : `${line.slice(0, longestReason - 1).toWellFormed()}…`;
}
