import type { Evacuation, EvacuationServices } from "../daemon/evacuation/schemas.ts";
import type { Connection } from "./connection.ts";
import { eachItem } from "./pages.ts";
import { pathOf } from "./paths.ts";

/** Emptying hosts of their guests. */
export type EvacuationClient = EvacuationServices;

/** Each guest's memory is looked at, and each destination is asked, before anything begins. */
const planTimeoutMs = 300_000;

export function evacuationClient(connection: Connection): EvacuationClient {
  const list = ["v1", "evacuations"];
  const all = pathOf(list);
  const begin = (host: string | null, request: object) => ({
    ...{ method: "POST" as const, path: all, timeoutMs: planTimeoutMs },
    body: { ...request, ...(host === null ? {} : { host }) },
  });
  return {
    planEvacuation: (host, request) => connection.json(begin(host, { ...request, dry_run: true })),
    startEvacuation: (host, request) => connection.json(begin(host, request)),
    listEvacuations: (host) =>
      Array.fromAsync(eachItem<Evacuation>(connection, list, { host: host ?? undefined })),
    getEvacuation: (id) => connection.json({ method: "GET", path: pathOf([...list, id]) }),
    cancelEvacuation: (id, body) =>
      connection.json({ method: "POST", path: pathOf([...list, id, "cancel"]), body }),
  };
}
