import type { HandoverServices } from "../daemon/handover/schemas.ts";
import type { Connection } from "./connection.ts";

/** What an anchor's daemon does about its guests' addresses. */
export type AnchorClient = HandoverServices;

/** The way to each host is looked at before anything begins. */
const checkTimeoutMs = 150_000;

export function anchorClient(connection: Connection): AnchorClient {
  const path = "/v1/anchor/handover";
  return {
    handOver: (body) => connection.json({ method: "POST", path, body, timeoutMs: checkTimeoutMs }),
    showHandover: () => connection.json({ method: "GET", path }),
  };
}
