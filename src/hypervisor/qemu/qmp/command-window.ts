/** Lets so many commands be unanswered at a time; the others wait for their turn, first come, first served. */
export class CommandWindow {
  readonly #size: number;
  readonly #unanswered = new Set<number>();
  readonly #waiting = new Map<number, () => void>();

  constructor(size: number) {
    this.#size = size;
  }

  /** Calls `send` now, or once there is room. */
  admit(id: number, send: () => void): void {
    this.#waiting.set(id, send);
    this.#fill();
  }

  /** The command was answered, however late. */
  answered(id: number): void {
    if (this.#unanswered.delete(id)) this.#fill();
  }

  /** Nobody waits for its answer any more; says whether it was kept from being sent. */
  withdraw(id: number): boolean {
    return this.#waiting.delete(id);
  }

  #fill(): void {
    for (const [id, send] of this.#waiting) {
      if (this.#unanswered.size >= this.#size) return;
      this.#waiting.delete(id);
      this.#unanswered.add(id);
      send();
    }
  }
}
