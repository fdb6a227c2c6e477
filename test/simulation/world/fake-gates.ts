import type { GateAnswer } from "../../../src/daemon/gates/answer.ts";
import { HostGates } from "../../../src/daemon/gates/host-gates.ts";
import { NoAnswer } from "../../../src/daemon/gates/no-answer.ts";
import type { AskedQuestion } from "../../../src/daemon/gates/question.ts";
import type { GatePoint, Gates } from "../../../src/migrator/gates.ts";
import { delay } from "../../../src/platform/clock.ts";
import type { GateWord, Schedule, ScheduledGate } from "../schedule.ts";
import type { Copies } from "./copies.ts";
import { never } from "./daemon-process.ts";

/** Whoever is behind the gates of all hosts. */
export class FakeGates {
  readonly violations: string[] = [];
  /** Migrations that were told so. */
  readonly denied = new Set<string>();
  areAsked = false;
  onAsked: (point: GatePoint) => void = () => {};
  readonly #schedule: Schedule;
  readonly #copies: Copies;
  readonly #trace: ((text: string) => void) | null;

  constructor(schedule: Schedule, copies: Copies, trace: ((text: string) => void) | null) {
    this.#schedule = schedule;
    this.#copies = copies;
    this.#trace = trace;
  }

  /** The host's own part is real. */
  forHost(host: string): Gates {
    const gates = new HostGates(
      (this.#schedule.gates ?? []).map((gate, index) => ({
        ...gate,
        name: `gate${index}`,
        guests: ["*"],
        ask: (question, _timeoutMs, signal) => this.#answer(host, gate, question, signal),
      })),
    );
    return {
      concerns: (point, guest) => this.areAsked && gates.concerns(point, guest),
      of: (guest) => gates.of(guest),
      ask: (...asked) => gates.ask(...asked),
    };
  }

  async #answer(
    host: string,
    { words, answersAfterMs }: ScheduledGate,
    { id, migration, point }: AskedQuestion,
    signal: AbortSignal,
  ): Promise<GateAnswer> {
    this.#trace?.(`${host} asks: ${id}`);
    this.#refuseStanding(host, point);
    this.onAsked(point);
    await delay(answersAfterMs, signal);
    this.#refuseStanding(host, point);
    const turn = Number(id.split(".").at(-1));
    const word = words[Math.min(turn, words.length) - 1] as GateWord;
    this.#trace?.(`${id} is answered: ${JSON.stringify(word)}`);
    switch (word) {
      case "allow":
        return { decision: "allow", reason: null };
      case "deny":
        this.denied.add(migration.id);
        return { decision: "deny", reason: "because" };
      case "silent":
        return await never;
      case "garbage":
        throw new NoAnswer("garbage");
      case "down":
        throw new NoAnswer("nobody is there", { isPassing: true });
      default:
        return { decision: "delay", delay_ms: word.delayMs, reason: null };
    }
  }

  /** Never while the guest stands, unless its user has paused it, or a QEMU that cannot be held has stopped it. */
  #refuseStanding(host: string, point: GatePoint): void {
    const { held, paused, seals } = this.#schedule;
    if (!held || paused || seals) return;
    const standing = this.#copies
      .on(host)
      .find((copy) => !copy.frozen && ["paused", "finish-migrate"].includes(copy.runState));
    if (standing === undefined) return;
    this.violations.push(`${standing.name} stands (${standing.runState}) in a gate at ${point}`);
  }
}
