import type { StoredMigration } from "../../../src/migrator/stored-migration.ts";
import type { Copies } from "./copies.ts";

export type ToldMigration = Pick<StoredMigration, "id" | "from" | "to" | "state" | "endedMs">;

/** How a migration ends that moves nothing. */
const undone = ["rolled-back", "cancelled"];

/** What was told of migrations, each word weighed at the instant it was said. */
export class Words {
  readonly violations: string[] = [];
  /** In the order in which they began. */
  readonly migrations = new Map<string, ToldMigration>();
  /** Those that were in doubt once. */
  readonly doubted = new Set<string>();
  /** Those by post-copy, and of these such as needed another connection. */
  readonly followed = new Set<string>();
  readonly recovered = new Set<string>();
  readonly #copies: Copies;
  readonly #trace: ((text: string) => void) | null;
  readonly #certain = new Map<string, string>();

  constructor(copies: Copies, trace: ((text: string) => void) | null) {
    this.#copies = copies;
    this.#trace = trace;
  }

  /** A daemon has written down how far a migration is; what finds no room on a disk is written later. */
  note(told: StoredMigration, wallClockMs: number): void {
    const { id, from, to, state, endedMs } = told;
    const known = this.migrations.get(id);
    this.migrations.set(id, { id, from, to, state, endedMs });
    const postCopy = told.report?.post_copy;
    if (postCopy !== undefined) this.followed.add(id);
    if (postCopy !== undefined && postCopy.recovered > 0) this.recovered.add(id);
    if (endedMs === null || (known?.endedMs != null && known.state === state)) return;
    this.#trace?.(`${id} is told to have ended: ${state} ${told.error?.message ?? ""}`);
    if (state === "in-doubt") {
      this.doubted.add(id);
      return;
    }
    const before = this.#certain.get(id);
    if (before !== undefined && before !== state) {
      this.violations.push(`${id} was told to be ${before} and then ${state}`);
    }
    this.#certain.set(id, state);
    if (wallClockMs - endedMs > 1) return;
    const running = this.#copies.running()[0]?.host;
    if (this.#hasMovedOn(id, running)) return;
    if (state === "completed" ? running === from : running === to) {
      this.violations.push(`${id} is told to be ${state} while the guest runs on ${running}`);
    }
  }

  /** A later migration may have taken the guest there before the earlier one's end could be told. */
  #hasMovedOn(id: string, running: string | undefined): boolean {
    const began = [...this.migrations.values()];
    const later = began.slice(began.findIndex((known) => known.id === id) + 1);
    return later.some(({ to, state }) => to === running && !undone.includes(state));
  }
}
