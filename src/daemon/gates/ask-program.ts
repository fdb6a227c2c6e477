import { runHookProgram } from "../hooks/program.ts";
import { type GateAnswer, parseAnswer, shown } from "./answer.ts";
import { NoAnswer } from "./no-answer.ts";
import type { AskedQuestion } from "./question.ts";

/**
 * Asks a program: the question on its standard input, the answer on its standard output. One that ends with another
 * status than 0 has not answered.
 * @throws NoAnswer; SojournError `SOJ_HOOK_PROGRAM_REFUSED`.
 */
export async function askProgram(
  program: string,
  question: AskedQuestion,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<GateAnswer> {
  const { id, guest, from, to } = question.migration;
  const { exitCode, endedBy, stdout, stderr } = await runHookProgram({
    program,
    input: JSON.stringify(question),
    environment: {
      SOJOURN_GATE: question.gate,
      SOJOURN_POINT: question.point,
      SOJOURN_MIGRATION: id,
      SOJOURN_GUEST: guest,
      SOJOURN_FROM: from,
      SOJOURN_TO: to,
    },
    timeoutMs,
    signal,
  });
  if (endedBy !== "itself") throw new NoAnswer(`${program} did not end in time`);
  if (exitCode === 0) return parseAnswer(stdout);
  const said = shown(stderr);
  const how = exitCode === null ? "was killed" : `ended with ${exitCode}`;
  throw new NoAnswer(`${program} ${how}${said === "" ? "" : `: ${said}`}`);
}
