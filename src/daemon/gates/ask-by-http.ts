import { wallClockMs } from "../../platform/clock.ts";
import { SojournError } from "../../platform/errors.ts";
import { HookFailure } from "../hooks/failure.ts";
import type { HookSender } from "../hooks/send.ts";
import { signatureHeaders } from "../hooks/signature.ts";
import { type GateAnswer, parseAnswer } from "./answer.ts";
import { NoAnswer } from "./no-answer.ts";
import type { AskedQuestion } from "./question.ts";

export interface HttpGate {
  url: string;
  /** What signs the questions. */
  key: Uint8Array;
  /** PEM certificates that are trusted instead of the system's. */
  ca?: string;
}

/** Statuses of a gate that is there but cannot answer now. */
const passingStatuses = [408, 425, 429];

/** Asks with one signed POST. @throws NoAnswer */
export async function askByHttp(
  sender: Pick<HookSender, "send">,
  { url, key, ca }: HttpGate,
  question: AskedQuestion,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<GateAnswer> {
  const body = JSON.stringify(question);
  const headers = { ...signatureHeaders(key, question.id, wallClockMs(), body) };
  const request = { url, body, headers, timeoutMs, signal, ...(ca === undefined ? {} : { ca }) };
  const answer = await sender.send(request).catch((cause: unknown) => {
    throw new NoAnswer((cause as Error).message, { isPassing: isPassing(cause), cause });
  });
  if (!answer.isComplete) throw new NoAnswer("the answer is too long, or broke off");
  return parseAnswer(answer.body);
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof HookFailure)) return !(error instanceof SojournError);
  if (error.code === "SOJ_HOOK_UNREACHABLE" || error.code === "SOJ_HOOK_TIMEOUT") return true;
  const status = error.status ?? 0;
  return status >= 500 || passingStatuses.includes(status);
}
