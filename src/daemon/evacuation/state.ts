import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import {
  type Evacuation,
  evacuationGuestSchema,
  evacuationRequestSchema,
  evacuationSchema,
} from "./schemas.ts";

const storedGuestSchema = evacuationGuestSchema.omit({ progress: true }).extend({
  home: z.string(),
  /** Attempts that failed by themselves; one that a daemon's end took back is none. */
  failures: z.int().nonnegative(),
  /** Where the last of these was to lead: somewhere else is better, where there is room. */
  failed_at: z.string().nullable(),
});

/** An evacuation with all that a restarted daemon needs to go on with it. */
export const storedEvacuationSchema = evacuationSchema.extend({
  guests: z.array(storedGuestSchema),
  request: evacuationRequestSchema,
  /** What its operator wants no more: what is queued, or also what is under way. */
  cancel: z.enum(["nothing", "queued", "all"]),
});

export type StoredGuest = z.output<typeof storedGuestSchema>;
export type StoredEvacuation = z.output<typeof storedEvacuationSchema>;

/** A new one; told apart from every other one of any host. */
export function newEvacuationId(): string {
  return `e${randomBytes(6).toString("hex")}`;
}

/**
 * The idempotency key of a guest's migration: the same for the same attempt, also in a daemon that has forgotten whether
 * it had begun. At most 64 characters, whatever the guest is called.
 */
export function attemptKey(evacuation: string, guest: string, attempt: number): string {
  const digest = createHash("sha256").update(guest).digest("hex").slice(0, 16);
  return `evacuation-${evacuation}-${digest}-${attempt}`;
}

/** As callers see it. `progressOf` a migration that is under way. Pure. */
export function evacuationOf(
  { request, cancel: _cancel, guests, ...told }: StoredEvacuation,
  progressOf: (migration: string) => Evacuation["guests"][number]["progress"],
): Evacuation {
  const { max_outage_ms } = request;
  return {
    ...told,
    ...(max_outage_ms === undefined ? {} : { max_outage_ms }),
    guests: guests.map(({ home: _home, failures: _failures, failed_at: _failedAt, ...guest }) => {
      const isMigrating = guest.state === "migrating" && guest.migration !== null;
      const progress = isMigrating ? progressOf(guest.migration ?? "") : undefined;
      return progress === undefined ? guest : { ...guest, progress };
    }),
  };
}
