import type { PeerCaller } from "../platform/procedures.ts";
import type { FlowTable } from "../routing/flows/flow-table.ts";
import type { HostContext } from "./host-context.ts";
import type { AwayRecord } from "./open-redirect.ts";
import type { GuestRecord } from "./records.ts";
import type { retireProcedures } from "./retire-procedures.ts";

/** What the drains of a host work with. */
export interface DrainContext
  extends Pick<HostContext, "host" | "records" | "network" | "journal" | "logger"> {
  flows: Pick<FlowTable, "read" | "forget">;
  /** @throws SojournError when no such peer is configured. */
  peer(host: string): PeerCaller<typeof retireProcedures>;
  /** Names this boot of the machine (`bootId`). */
  boot: string;
  /** A guest of ours stands just now: nothing slow may be begun. */
  isGuestStanding(): boolean;
  /** A migration brings the guest here, from the first word of its source on. */
  isArriving(guest: string): boolean;
  /** One takes it away from here, from its request on: it remembers how the guest is here, to restore that. */
  isLeaving(guest: string): boolean;
  tell: DrainTeller;
}

export type DepartedRecord = GuestRecord & { departed: NonNullable<GuestRecord["departed"]> };

/** Lets events and reports say what becomes of redirects. Quick; says the same only once, also across restarts. */
export interface DrainTeller {
  /** False while it is too early: its migration has not ended yet. */
  draining(record: AwayRecord): boolean;
  retired(record: DepartedRecord): void;
}
