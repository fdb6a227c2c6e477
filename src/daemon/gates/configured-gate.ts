import type { GateNote, GateQuestion } from "../../migrator/gates.ts";
import { interruptible } from "../../migrator/interruptible.ts";
import { delay, monotonicMs, startTimer } from "../../platform/clock.ts";
import type { GateAnswer } from "./answer.ts";
import { NoAnswer } from "./no-answer.ts";
import { type AskedQuestion, questionFor } from "./question.ts";

/** A gate that asks to be asked again at once is asked again after this. */
const shortestDelayMs = 250;

/** Between two tries to reach a gate that is not there; doubled up to the longest. */
const [firstRetryMs, longestRetryMs] = [500, 10_000];

/** Delays that are told of; whoever follows need not hear of each one of an impatient gate. */
const toldDelays = 20;

/** A gate as it is configured. */
export interface ConfiguredGate {
  name: string;
  deadlineMs: number;
  onNoAnswer: "allow" | "deny";
  /** Asks once. @throws NoAnswer; anything else counts as one that will not come. */
  ask(question: AskedQuestion, timeoutMs: number, signal: AbortSignal): Promise<GateAnswer>;
}

/**
 * Asks until the gate allows or denies, or its deadline is over; its default counts then.
 * @throws the signal's reason.
 */
export async function decisionOf(
  gate: ConfiguredGate,
  question: GateQuestion,
  signal: AbortSignal,
  tell: (note: GateNote) => void,
): Promise<GateNote> {
  const asking = new Asking(gate, question, signal);
  tell(asking.note("asked", false, null));
  try {
    return await untilDecided(asking, tell);
  } finally {
    asking[Symbol.dispose]();
  }
}

async function untilDecided(asking: Asking, tell: (note: GateNote) => void): Promise<GateNote> {
  let retryMs = firstRetryMs;
  let delays = 0;
  let failure = "no answer";
  while (asking.leftMs > 0) {
    try {
      const answer = await asking.once();
      retryMs = firstRetryMs;
      if (answer.decision !== "delay") return asking.note(answer.decision, true, answer.reason);
      failure = "still delays it";
      delays += 1;
      if (delays <= toldDelays) tell(asking.note("delay", true, answer.reason));
      await asking.pause(Math.max(answer.delay_ms, shortestDelayMs));
      asking.turn += 1;
    } catch (error) {
      asking.signal.throwIfAborted();
      if (asking.leftMs <= 0) break;
      failure = (error as Error).message;
      if (!(error instanceof NoAnswer) || !error.isPassing) break;
      await asking.pause(retryMs);
      retryMs = Math.min(2 * retryMs, longestRetryMs);
    }
  }
  return asking.note(asking.gate.onNoAnswer, false, asking.defaultReason(failure));
}

/** One gate at one point of one migration. */
class Asking implements Disposable {
  readonly gate: ConfiguredGate;
  readonly signal: AbortSignal;
  turn = 1;
  readonly #question: GateQuestion;
  readonly #startedMs = monotonicMs();
  readonly #either: AbortSignal;
  readonly #deadline: Disposable;

  constructor(gate: ConfiguredGate, question: GateQuestion, signal: AbortSignal) {
    this.gate = gate;
    this.signal = signal;
    this.#question = question;
    const over = new AbortController();
    const timer = startTimer(() => over.abort(new NoAnswer("no answer")), gate.deadlineMs);
    this.#deadline = { [Symbol.dispose]: () => timer.cancel() };
    this.#either = AbortSignal.any([signal, over.signal]);
  }

  get leftMs(): number {
    return this.#either.aborted ? 0 : this.gate.deadlineMs - this.#waitedMs();
  }

  async once(): Promise<GateAnswer> {
    const question = questionFor(this.gate, this.#question, this.turn, this.#waitedMs());
    const asked = this.gate.ask(question, Math.ceil(this.leftMs), this.#either);
    return await interruptible(asked, this.#either);
  }

  /** At most until the deadline. */
  async pause(ms: number): Promise<void> {
    await delay(Math.min(ms, Math.max(this.leftMs, 0)), this.#either).catch(() => {});
    this.signal.throwIfAborted();
  }

  note(decision: GateNote["decision"], answered: boolean, reason?: string | null): GateNote {
    const waitedMs = this.#waitedMs();
    return { gate: this.gate.name, decision, answered, reason: reason ?? null, waitedMs };
  }

  defaultReason(failure: string): string {
    const late = this.leftMs <= 0 ? ` within ${this.gate.deadlineMs} ms` : "";
    return `${failure}${late}; on_no_answer is ${this.gate.onNoAnswer}`;
  }

  [Symbol.dispose](): void {
    this.#deadline[Symbol.dispose]();
  }

  #waitedMs(): number {
    return monotonicMs() - this.#startedMs;
  }
}
