import type { DaemonServices } from "../daemon/services.ts";
import type { Connection } from "./connection.ts";
import { pathOf } from "./paths.ts";

/** The daemon's host itself. */
export interface HostClient extends Pick<DaemonServices, "doctor" | "examinePeer"> {
  health(): Promise<{ status: string; host: string; pid: number }>;
}

export function hostClient(connection: Connection): HostClient {
  return {
    health: () => connection.json({ method: "GET", path: "/healthz" }),
    doctor: () => connection.json({ method: "GET", path: "/v1/doctor" }),
    examinePeer: (peer) =>
      connection.json({ method: "POST", path: pathOf(["v1", "doctor", "peers", peer]) }),
  };
}
