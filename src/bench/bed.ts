import type { Cell } from "./records.ts";
import type { Runner, Strategy } from "./run.ts";

/** Where one cell is measured; disposing ends what was started for it. */
export interface Bed extends AsyncDisposable {
  /** The cell as the guest really is. */
  cell: Cell;
  runnerOf(strategy: Strategy): Promise<Runner>;
  /** Puts a guest that stays back to where it was; for a benchmark that came to its end. */
  restore(signal: AbortSignal): Promise<void>;
}
