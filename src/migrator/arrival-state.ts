import { waitAtMost } from "../platform/waiting.ts";
import type { DestinationState } from "./procedures.ts";

/** How far an arriving guest is, as its source is told. */
export class ArrivalState {
  /** Wall clock. */
  takeoverMs: number | null = null;
  resumeMs: number | null = null;
  /** An abort, or a recorded takeover, that has begun though the phase does not show it yet: it excludes the other. */
  decision: "abort" | "takeover" | null = null;
  #phase: DestinationState["state"] = "incoming";
  readonly #changed = Promise.withResolvers<void>();

  get phase(): DestinationState["state"] {
    return this.#phase;
  }

  /** Nothing is decided: the guest may still be taken over or aborted. */
  get isOpen(): boolean {
    return this.#phase === "incoming" && this.decision === null;
  }

  /** Resolves when the phase is no longer `incoming`. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  become(phase: "taken-over" | "aborted"): void {
    this.#phase = phase;
    this.#changed.resolve();
  }

  answer(): DestinationState {
    return { state: this.#phase, takeover_ms: this.takeoverMs, resume_ms: this.resumeMs };
  }

  /** Resolves when the phase is no longer `incoming`, or after `waitMs`. */
  async wait(waitMs: number): Promise<DestinationState> {
    if (this.#phase !== "incoming" || waitMs === 0) return this.answer();
    await waitAtMost(waitMs, this.changed);
    return this.answer();
  }
}
