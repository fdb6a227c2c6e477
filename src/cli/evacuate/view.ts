import type { Evacuation, EvacuationGuest } from "../../client/index.ts";
import { monotonicMs } from "../../platform/clock.ts";
import type { Output } from "../output.ts";
import { harmlessText } from "../render/terminal.ts";
import { describeChange, describeCounts, describeGuests } from "./describe.ts";

/** Shows what happens while a host is emptied. */
export interface EvacuationView {
  show(evacuation: Evacuation): void;
  /** Leaves the terminal in order; nothing is shown afterwards. */
  close(): void;
}

/** JSON lines, a live table on a terminal, or plain lines: whatever suits the output. */
export function createView(output: Output): EvacuationView {
  if (output.json) return new RecordView(output);
  if (process.stdout.isTTY) return new LiveView(process.stdout);
  return new PlainView(output);
}

/** Those that are not as they were told before, compared by `key`. */
class Changes {
  readonly #told = new Map<string, string>();
  readonly #key: (guest: EvacuationGuest) => unknown;

  constructor(key: (guest: EvacuationGuest) => unknown) {
    this.#key = key;
  }

  of({ guests }: Evacuation): EvacuationGuest[] {
    return guests.filter((guest) => {
      const now = JSON.stringify(this.#key(guest));
      const isNew = this.#told.get(guest.guest) !== now;
      this.#told.set(guest.guest, now);
      return isNew;
    });
  }
}

/** A guest whenever something about it has changed. */
class RecordView implements EvacuationView {
  readonly #output: Output;
  readonly #changes = new Changes((guest) => guest);

  constructor(output: Output) {
    this.#output = output;
  }

  show(evacuation: Evacuation): void {
    for (const guest of this.#changes.of(evacuation))
      this.#output.record({ type: "evacuation-guest", id: evacuation.id, ...guest });
  }

  close(): void {}
}

/** How long nothing happens before the counts are told again (ms). */
const quietMs = 10_000;

/** What its migration's id is follows in a moment. */
function isWorthALine({ state, migration }: EvacuationGuest): boolean {
  return state !== "queued" && (state !== "migrating" || migration !== null);
}

/** A line for each guest's step, and now and then how far all are. */
class PlainView implements EvacuationView {
  readonly #output: Output;
  readonly #changes = new Changes(({ state, migration }) => [state, migration]);
  #toldMs = monotonicMs();

  constructor(output: Output) {
    this.#output = output;
  }

  show(evacuation: Evacuation): void {
    const changed = this.#changes.of(evacuation).filter(isWorthALine);
    const nowMs = monotonicMs();
    for (const guest of changed) this.#output.line(describeChange(guest));
    if (changed.length > 0) this.#toldMs = nowMs;
    if (nowMs - this.#toldMs < quietMs) return;
    this.#toldMs = nowMs;
    this.#output.line(describeCounts(evacuation));
  }

  close(): void {}
}

/** The part of a terminal that is needed. */
export type Terminal = Pick<NodeJS.WriteStream, "write" | "columns" | "rows">;

/** A table that is drawn over itself. */
export class LiveView implements EvacuationView {
  readonly #terminal: Terminal;
  #drawnLines = 0;
  #drawn = "";

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(evacuation: Evacuation): void {
    const { columns = 80, rows = 24 } = this.#terminal;
    const lines = tableOf(evacuation, Math.max(1, rows - 4));
    const width = Math.max(1, columns - 1);
    const text = lines.map((line) => `${harmlessText(line).slice(0, width)}\x1b[K\n`).join("");
    if (text === this.#drawn) return;
    this.#terminal.write(`${this.#backToTop()}${text}\x1b[J`);
    this.#drawnLines = lines.length;
    this.#drawn = text;
  }

  close(): void {
    this.#terminal.write(`${this.#backToTop()}\x1b[J`);
    this.#drawnLines = 0;
    this.#drawn = "";
  }

  #backToTop(): string {
    return this.#drawnLines === 0 ? "" : `\x1b[${this.#drawnLines}A\r`;
  }
}

/** What somebody who waits wants to see first. */
const byInterest = ["migrating", "failed", "queued", "cancelled", "skipped", "moved"] as const;

/** At most `most` guests: of a host with many those that something happens to, in the order in which they go. */
function tableOf(evacuation: Evacuation, most: number): string[] {
  const { guests } = evacuation;
  const interesting = byInterest
    .flatMap((wanted) => guests.filter(({ state }) => state === wanted))
    .slice(0, most);
  const shown = guests.filter((guest) => interesting.includes(guest));
  const hidden = guests.length - shown.length;
  return [
    ...describeGuests(shown).split("\n"),
    ...(hidden === 0 ? [] : [`… and ${hidden} more`]),
    describeCounts(evacuation),
  ];
}
