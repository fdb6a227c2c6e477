import type { DrainFigures } from "../../migrator/guest-drain.ts";
import { type GuestRecord, retirementReasons } from "../../migrator/records.ts";
import type { Instruments } from "./instruments.ts";

/** Redirects whose end is seen to, and why others have ended. */
export class DrainMetrics {
  readonly #retired;
  #drains: { figures(): DrainFigures[] } | null = null;

  constructor(instruments: Instruments) {
    this.#retired = instruments.counter(
      "sojourn_redirects_retired_total",
      "Redirects that were removed: retired (last-flow, idle, cap, by-hand), or their guest came home (returned), ended, or was sent elsewhere (moved).",
      ["reason"],
    );
    for (const reason of [...retirementReasons, "returned", "ended", "moved"]) {
      this.#retired.inc({ reason }, 0);
    }
    instruments.collectedGauge(
      "sojourn_draining_redirects",
      "Redirects of this home that go once nothing needs them any more, or are being retired.",
      [],
      (gauge) => gauge.set(this.#figures().length),
    );
    instruments.collectedGauge(
      "sojourn_redirect_flows",
      "Flows that keep such a redirect, as of the last look; absent where they cannot be counted.",
      ["guest"],
      (gauge) => {
        for (const { guest, flows } of this.#figures()) {
          if (flows !== null) gauge.set({ guest }, flows);
        }
      },
    );
  }

  /** Until then nothing drains. */
  know(drains: { figures(): DrainFigures[] }): void {
    this.#drains = drains;
  }

  /** A guest's record has changed (`RecordStore.subscribe`). */
  noteChange(before: GuestRecord | undefined, after: GuestRecord | undefined): void {
    const was = before?.redirect?.host;
    if (was === undefined || was === after?.redirect?.host) return;
    this.#retired.inc({ reason: reasonOf(after) });
  }

  #figures(): DrainFigures[] {
    return this.#drains?.figures() ?? [];
  }
}

function reasonOf(after: GuestRecord | undefined): string {
  if (after === undefined) return "ended";
  if (after.departed !== undefined && after.hosting === null) return after.departed.reason;
  return after.hosting === null ? "moved" : "returned";
}
