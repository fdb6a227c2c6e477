import type { Cell, CellGuest } from "./records.ts";
import type { Runner, Strategy } from "./run.ts";

/** Where the cells of one guest are measured; disposing ends what was started for it. */
export interface Bed extends AsyncDisposable {
  /** The guest and its links as they really are. */
  guest: CellGuest;
  runnerOf(strategy: Strategy, cell: Cell): Promise<Runner>;
  /** Pages that the guest's writer has found wrong since this was asked last; null where nothing writes. */
  newlyCorruptPages(): Promise<number | null>;
  /** Puts a guest that stays back to where it was; for a benchmark that came to its end. */
  restore(signal: AbortSignal): Promise<void>;
}
