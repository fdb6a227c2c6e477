import type { Connection } from "./connection.ts";
import type { DoctorCheck } from "./types.ts";

/** The daemon's host itself. */
export interface HostClient {
  health(): Promise<{ status: string; host: string; pid: number }>;
  /** The checks that only the running daemon can make. */
  doctor(): Promise<DoctorCheck[]>;
  /** Tries the tunnels between this host and a peer with packets of every size. */
  examinePeer(peer: string): Promise<DoctorCheck[]>;
}

export function hostClient(connection: Connection): HostClient {
  return {
    health: () => connection.json({ method: "GET", path: "/healthz" }),
    doctor: () => connection.json({ method: "GET", path: "/v1/doctor" }),
    examinePeer: (peer) =>
      connection.json({ method: "POST", path: `/v1/doctor/peers/${encodeURIComponent(peer)}` }),
  };
}
