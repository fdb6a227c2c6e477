import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import type { Phase } from "../../migrator/phases.ts";
import { migrationSchema } from "../api/schemas/migrations.ts";
import { isEnd } from "../event-history.ts";
import type { MigrationEvent } from "../services.ts";
import { isOutcome, type Rank, rankOf, toldPhases } from "./events.ts";
import type { HookFeedEvent } from "./feed-source.ts";

/** What every hook gets, as a request's body or on standard input. Fields may be added, never removed or changed. */
export const hookPayloadSchema = z.object({
  id: z.string().describe("The same at every attempt: who has seen it may ignore it"),
  type: z.string().describe("migration.PHASE, migration.OUTCOME, guest.arrived, …"),
  created_at: z.iso.datetime().describe("When it happened, on this host's clock"),
  host: z.string().describe("The host that tells"),
  guest: z
    .object({
      name: z.string(),
      addresses: z.array(z.string()).describe("Without prefix lengths"),
      renumbered: z
        .exactOptional(z.string())
        .describe("Its address of the host where it is, for new flows; absent when it has none"),
      home: z.string().nullable().describe("The host whose subnet owns the addresses"),
    })
    .nullable(),
  migration: z
    .object(migrationSchema.shape)
    .nullable()
    .describe("As GET /v1/migrations/ID gives it; null for a guest's events"),
  event: z
    .looseObject({ type: z.string() })
    .nullable()
    .describe("As in the migration's events; of an outcome the report, or the error"),
});

export type HookPayload = z.output<typeof hookPayloadSchema>;

/** What a hook is told about the guest. */
export type GuestFacts = NonNullable<HookPayload["guest"]>;

/** A payload on its way. */
export interface HookMessage {
  id: string;
  type: string;
  rank: Rank;
  guest: string;
  migration: string | null;
  /** JSON of the payload. */
  body: string;
}

/**
 * What is told of an event; null for what is no phase and no end. The id follows from what happened, so that one that
 * is told again after a crash, or by the guest's home too, is recognised.
 */
export function migrationMessage(
  { migration, event, wallClockMs }: HookFeedEvent,
  host: string,
  guest: GuestFacts | null,
): HookMessage | null {
  const type = typeOf(event, migration.state);
  if (type === null) return null;
  const id = idOf(migration.id, type, distinction(event));
  return {
    ...{ id, type, rank: rankOf(type), guest: migration.guest, migration: migration.id },
    body: bodyOf({ id, type, created_at: isoTime(wallClockMs), host, guest, migration, event }),
  };
}

/** A guest runs on this host from now on, or no longer. */
export function guestMessage(
  change: "arrived" | "departed",
  guest: GuestFacts,
  host: string,
  wallClockMs: number,
): HookMessage {
  const type = `guest.${change}`;
  const id = `msg_${randomBytes(16).toString("base64url")}`;
  const told = { id, type, created_at: isoTime(wallClockMs), host, guest };
  return {
    ...{ id, type, rank: rankOf(type), guest: guest.name, migration: null },
    body: bodyOf({ ...told, migration: null, event: null }),
  };
}

/** What `test` sends. */
export function testBody(host: string, wallClockMs: number): { id: string; body: string } {
  const id = `msg_${randomBytes(16).toString("base64url")}`;
  const told = { id, type: "webhook.test", created_at: isoTime(wallClockMs), host };
  return { id, body: bodyOf({ ...told, guest: null, migration: null, event: null }) };
}

function typeOf(event: HookFeedEvent["event"], state: Phase): string | null {
  if (event === null || isEnd(event))
    return `migration.${isOutcome(state) ? state : "out-of-sight"}`;
  if (event.type !== "phase") return `migration.${event.type}`;
  const phase = toldPhases.find((each) => each === event.phase);
  return phase === undefined ? null : `migration.${phase}`;
}

/** Of events of the same type and migration. An end is the same end whoever tells it, and whenever. */
function distinction(event: HookFeedEvent["event"]): string {
  return event === null || isEnd(event) ? "" : JSON.stringify(event);
}

function idOf(...parts: string[]): string {
  const digest = createHash("sha256").update(parts.join("\0")).digest();
  return `msg_${digest.subarray(0, 16).toString("base64url")}`;
}

function bodyOf(payload: HookPayload | { event: MigrationEvent | null }): string {
  return JSON.stringify(payload);
}

function isoTime(wallClockMs: number): string {
  return new Date(wallClockMs).toISOString();
}
