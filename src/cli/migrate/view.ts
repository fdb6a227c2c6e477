import type {
  GapEvent,
  GateEvent,
  NameEvent,
  PhaseEvent,
  ProgressEvent,
} from "../../client/index.ts";
import { monotonicMs } from "../../platform/clock.ts";
import type { Output } from "../output.ts";
import {
  describeGap,
  describeGate,
  describeName,
  describePhase,
  describeProgress,
} from "./describe.ts";

type ShownEvent = PhaseEvent | ProgressEvent | GateEvent | NameEvent | GapEvent;

/** Shows what happens while a migration runs. */
export interface MigrationView {
  show(event: ShownEvent): void;
  /** Leaves the terminal in order; nothing is shown afterwards. */
  close(): void;
}

/** JSON lines, a live line on a terminal, or plain lines: whatever suits the output. */
export function createView(output: Output): MigrationView {
  if (output.json) return { show: (event) => output.record(event), close: () => {} };
  if (process.stdout.isTTY) return new LiveView(output);
  return new PlainView(output);
}

function describeLasting(event: Exclude<ShownEvent, ProgressEvent>): string {
  if (event.type === "gap") return describeGap(event);
  if (event.type === "name") return describeName(event);
  return event.type === "gate" ? describeGate(event) : describePhase(event);
}

/** One line a phase, and progress at most every two seconds. */
class PlainView implements MigrationView {
  readonly #output: Output;
  #quietUntilMs = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  show(event: ShownEvent): void {
    if (event.type !== "progress") {
      this.#output.line(describeLasting(event));
      return;
    }
    const nowMs = monotonicMs();
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + 2_000;
    this.#output.line(describeProgress(event));
  }

  close(): void {}
}

/** Phases scroll by; the line below them shows the progress and is overwritten. */
class LiveView implements MigrationView {
  readonly #output: Output;
  #progress: string | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  show(event: ShownEvent): void {
    this.#clear();
    if (event.type !== "progress") {
      this.#output.line(describeLasting(event));
      return;
    }
    const width = (process.stdout.columns ?? 80) - 1;
    this.#progress = describeProgress(event).slice(0, width);
    process.stdout.write(this.#progress);
  }

  close(): void {
    this.#clear();
  }

  #clear(): void {
    if (this.#progress !== null) process.stdout.write("\r\x1b[2K");
    this.#progress = null;
  }
}
