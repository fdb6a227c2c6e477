import type { Connection } from "./connection.ts";
import { pathOf } from "./paths.ts";
import type { GuestSummary } from "./types.ts";

/** Guests of the daemon's host. */
export interface GuestClient {
  listGuests(): Promise<GuestSummary[]>;
  showGuest(name: string): Promise<GuestSummary>;
  startGuest(name: string): Promise<GuestSummary>;
  stopGuest(name: string): Promise<GuestSummary>;
}

export function guestClient(connection: Connection): GuestClient {
  const of = (name: string, ...action: string[]) => pathOf(["v1", "guests", name, ...action]);
  return {
    listGuests: () => connection.json({ method: "GET", path: "/v1/guests" }),
    showGuest: (name) => connection.json({ method: "GET", path: of(name) }),
    startGuest: (name) => connection.json({ method: "POST", path: of(name, "start") }),
    stopGuest: (name) => connection.json({ method: "POST", path: of(name, "stop") }),
  };
}
