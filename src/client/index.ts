/**
 * The client of Sojourn's HTTP API: what the command line uses itself.
 *
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { createClient, SojournError } from "sojourn/client";
 *
 * const client = createClient({
 *   url: "https://host-a.example:7708",
 *   token: () => readFileSync("/run/secrets/sojourn", "utf8").trim(),
 *   tls: { ca: readFileSync("/etc/sojourn/ca.pem") },
 * });
 * const { id } = await client.startMigration(
 *   { guest: "web1", to: "host-b", max_outage_ms: 100 },
 *   { idempotencyKey: "evacuate-host-a-web1" },
 * );
 * for await (const event of client.migrationEvents(id, AbortSignal.timeout(600_000))) {
 *   if (event.type === "phase") console.log(event.phase, event.host);
 *   if (event.type === "report") console.log("blackout", event.blackout_ms, "ms");
 *   if (event.type === "error") throw SojournError.fromRecord(event, 500);
 * }
 * ```
 */
export { ExitCode, SojournError } from "../platform/errors.ts";
export { createClient, type SojournClient } from "./client.ts";
export type { ClientOptions } from "./connection.ts";
export { defaultSocketPath } from "./connection.ts";
export type { FollowHostOptions, FollowMigrationOptions } from "./events.ts";
export type * from "./types.ts";
