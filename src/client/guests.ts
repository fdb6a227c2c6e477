import type { DaemonServices } from "../daemon/services.ts";
import type { Connection } from "./connection.ts";
import { pathOf } from "./paths.ts";

/** Guests of the daemon's host. */
export type GuestClient = Pick<
  DaemonServices,
  | "listGuests"
  | "showGuest"
  | "startGuest"
  | "stopGuest"
  | "adoptGuest"
  | "releaseGuest"
  | "retireGuest"
>;

export function guestClient(connection: Connection): GuestClient {
  const of = (name: string, ...action: string[]) => pathOf(["v1", "guests", name, ...action]);
  return {
    listGuests: () => connection.json({ method: "GET", path: "/v1/guests" }),
    showGuest: (name) => connection.json({ method: "GET", path: of(name) }),
    startGuest: (name) => connection.json({ method: "POST", path: of(name, "start") }),
    stopGuest: (name) => connection.json({ method: "POST", path: of(name, "stop") }),
    adoptGuest: (body) => connection.json({ method: "POST", path: "/v1/guests", body }),
    releaseGuest: (name) => connection.json({ method: "POST", path: of(name, "release") }),
    retireGuest: (name, body) =>
      connection.json({ method: "POST", path: of(name, "retire"), body }),
  };
}
