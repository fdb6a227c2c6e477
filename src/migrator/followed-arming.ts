/** Others' streams are not held back: from when on packets are copied has to be guessed from how fast they go. */

/** With so little time left at the earliest, the guest may be stopped before copying would have begun. */
const armBelowMs = 2_000;

/** With so much time left at the earliest, copying ends again. */
const disarmAboveMs = 5_000;

/** What has been copied for longer is old news for the guest, and takes the room of what will be new to it. */
const longestCopyMs = 3_000;

/** QEMU stops a guest as soon as the rest would take less than its downtime limit: 300 ms, unless its owner says otherwise. */
const downtimeLimitMs = 300;

/** Shorter intervals tell more about when figures are renewed than about the stream. */
const shortestIntervalMs = 50;

/** What to do about the copies next. `renew`: what waits is thrown away, and copying begins afresh. */
export type ArmingStep = "arm" | "disarm" | "renew" | "keep";

/**
 * @param armedForMs how long packets have been copied; null while they are not
 * @param leastLeftMs until the guest may be stopped, at the earliest; null when nothing is known about that
 */
export function armingStep(armedForMs: number | null, leastLeftMs: number | null): ArmingStep {
  const leftMs = leastLeftMs ?? 0;
  if (armedForMs === null) return leftMs < armBelowMs ? "arm" : "keep";
  if (leftMs > disarmAboveMs) return "disarm";
  return armedForMs > longestCopyMs ? "renew" : "keep";
}

/** Guesses when a stream may end at the earliest: empty pages go by much faster than those that are sent. */
export class StreamEnd {
  #last: { remainingBytes: number; atMs: number } | null = null;
  #fastest = 0;

  /** @param atMs monotonic */
  note(remainingBytes: number, atMs: number): void {
    const last = this.#last;
    if (last !== null && atMs - last.atMs < shortestIntervalMs) return;
    if (last !== null) {
      const speed = (last.remainingBytes - remainingBytes) / (atMs - last.atMs);
      this.#fastest = Math.max(this.#fastest, speed);
    }
    this.#last = { remainingBytes, atMs };
  }

  /** Null until a speed is known. */
  get leastLeftMs(): number | null {
    if (this.#last === null || this.#fastest === 0) return null;
    return Math.max(0, this.#last.remainingBytes / (2 * this.#fastest) - downtimeLimitMs);
  }
}
