import { departedFrom } from "../../migrator/departed.ts";
import type { Migrations } from "../../migrator/migrations.ts";
import { requiredTunnels } from "../../migrator/network.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import type { GuestRecord } from "../../migrator/records.ts";
import type { RunStates } from "../../migrator/run-states.ts";
import type { StandingGuests } from "../../migrator/standing-guests.ts";
import { monotonicMs } from "../../platform/clock.ts";
import { tunnelKinds } from "../../tunnels/tunnel.ts";
import type { Instruments } from "./instruments.ts";

/** What the daemon remembers of its host, once it is composed. */
export interface HostKnowledge {
  records: Pick<RecordStore, "all">;
  runStates: Pick<RunStates, "get">;
  standing: Pick<StandingGuests, "list">;
  migrations: Pick<Migrations, "isRunning" | "underWay">;
  journal: { readonly opening: { readonly damage: readonly unknown[] } };
}

const guestStates = ["running", "paused", "arriving", "away"] as const;
type GuestState = (typeof guestStates)[number];

/** Guests, migrations under way, redirects and tunnels, read from memory when they are asked for. */
export class GuestMetrics {
  #known: HostKnowledge | null = null;

  constructor(instruments: Instruments) {
    this.#addGuests(instruments);
    this.#addMigrations(instruments);
    this.#addNetwork(instruments);
    instruments.collectedGauge(
      "sojourn_journal_damaged",
      "1 when the journal was found damaged: automation is stopped for the guests that it may concern.",
      [],
      (gauge) => gauge.set((this.#known?.journal.opening.damage.length ?? 0) > 0 ? 1 : 0),
    );
  }

  /** Until then nothing is known, and nothing is there. */
  know(known: HostKnowledge): void {
    this.#known = known;
  }

  #records(): GuestRecord[] {
    return this.#known?.records.all() ?? [];
  }

  #addGuests(instruments: Instruments): void {
    instruments.collectedGauge(
      "sojourn_guests",
      "Guests of this host: running or paused here, about to arrive, or away from this host, their home.",
      ["state"],
      (gauge) => {
        for (const state of guestStates) gauge.set({ state }, 0);
        for (const record of this.#records()) {
          const state = this.#stateOf(record);
          if (state !== null) gauge.inc({ state });
        }
      },
    );
    instruments.collectedGauge(
      "sojourn_guests_frozen",
      "Guests that a migration has stopped here and that are not known to run anywhere.",
      [],
      (gauge) => gauge.set(this.#known?.standing.list().length ?? 0),
    );
    instruments.collectedGauge(
      "sojourn_guest_frozen_seconds",
      "How long a frozen guest has stood; only while it stands.",
      ["guest"],
      (gauge) => {
        const nowMs = monotonicMs();
        for (const { guest, sinceMs } of this.#known?.standing.list() ?? []) {
          gauge.set({ guest }, Math.max(0, nowMs - sinceMs) / 1000);
        }
      },
    );
  }

  #addMigrations(instruments: Instruments): void {
    instruments.collectedGauge(
      "sojourn_migrations_in_progress",
      "Migrations under way that leave this host or arrive at it.",
      ["direction"],
      (gauge) => {
        const leaving = this.#known?.migrations.underWay().leaving ?? 0;
        const arriving = this.#records().filter(
          ({ migration: one }) => one?.role === "destination",
        );
        gauge.set({ direction: "outgoing" }, leaving);
        gauge.set({ direction: "incoming" }, arriving.length);
      },
    );
    instruments.collectedGauge(
      "sojourn_migrations_in_doubt",
      "Migrations from this host of which only the unreachable destination, or an operator, knows the end.",
      [],
      (gauge) => {
        const sources = this.#records().filter(({ migration }) => migration?.role === "source");
        gauge.set(sources.filter(({ migration }) => !this.#isRunning(migration?.id)).length);
      },
    );
  }

  #addNetwork(instruments: Instruments): void {
    instruments.collectedGauge(
      "sojourn_redirects",
      "Guests of this home whose traffic is sent to another host.",
      [],
      (gauge) => gauge.set(this.#records().filter(({ redirect }) => redirect !== null).length),
    );
    instruments.collectedGauge(
      "sojourn_tunnels",
      "Tunnels that this host's guests need, by kind.",
      ["kind"],
      (gauge) => {
        for (const kind of tunnelKinds) gauge.set({ kind }, 0);
        for (const { kind } of requiredTunnels(this.#records())) gauge.inc({ kind });
      },
    );
  }

  #isRunning(id: string | undefined): boolean {
    return id !== undefined && (this.#known?.migrations.isRunning(id) ?? false);
  }

  #stateOf(record: GuestRecord): GuestState | null {
    const { guest, hosting, redirect } = record;
    if (hosting === null) return redirect || departedFrom(record) ? "away" : null;
    if (hosting.stage === "barrier" || hosting.stage === "incoming") return "arriving";
    return this.#known?.runStates.get(guest)?.isRunning === false ? "paused" : "running";
  }
}
