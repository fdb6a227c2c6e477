import { z } from "zod";
import { guestShareSchema, policyNames } from "../../hypervisor/guest-migration.ts";
import { phases } from "../../migrator/phases.ts";
import { namePattern } from "../../platform/names.ts";

const name = z.string().regex(namePattern);
const wallClockMs = z.number().describe("Milliseconds since 1970");

/** So many destinations of one evacuation at most. */
const mostDestinations = 64;

/** What an evacuation is asked for, and what its daemon remembers of that. */
const wish = {
  to: z
    .array(name)
    .min(1)
    .max(mostDestinations)
    .refine((hosts) => new Set(hosts).size === hosts.length, "names a host twice")
    .meta({ uniqueItems: true })
    .describe("Where the guests may go; which of them goes where follows from free memory"),
  parallel: z
    .exactOptional(z.int().min(1).max(16))
    .describe("So many guests leave at once at most; 2 unless told"),
  parallel_per_link: z
    .exactOptional(z.int().min(1).max(16))
    .describe("So many of them go to one destination at once at most; 1 unless told"),
  policy: z
    .exactOptional(z.enum(policyNames))
    .describe("Of each migration; absent: what each guest's definition or the configuration says"),
  post_copy: z.exactOptional(z.boolean()),
  guest_share: z.exactOptional(guestShareSchema).describe("Percent of the link"),
  timeout_s: z.exactOptional(z.number().positive().max(86_400)).describe("Of each migration"),
  max_outage_ms: z.exactOptional(z.number().positive().max(3_600_000)).describe("Of each guest"),
};

/** What is asked of the daemon of the host that is to be emptied. */
export const evacuationRequestSchema = z.strictObject(wish);

/** Body of `POST /v1/evacuations`. */
export const evacuationBody = z
  .strictObject({
    host: z
      .exactOptional(name)
      .describe("The host that is to be emptied, a peer; absent: the one that is asked"),
    ...wish,
    dry_run: z.boolean().default(false).describe("Answer with the plan (200) and change nothing"),
  })
  .meta({ id: "EvacuationRequest", examples: [{ host: "host-a", to: ["host-b", "host-c"] }] });

/** Body of `POST /v1/evacuations/:id/cancel`. */
export const evacuationCancelBody = z
  .strictObject({
    running: z
      .boolean()
      .default(false)
      .describe("Also the migrations under way, those that have not promised their guest yet"),
  })
  .meta({ id: "EvacuationCancel", examples: [{ running: true }] });

export const evacuationErrorSchema = z.object({
  code: z.string().max(64),
  message: z.string(),
  hint: z.string().nullable(),
  exit_code: z.int().describe("That of the command line; 0 of a guest that was skipped"),
});

export const evacuationGuestStates = [
  "queued",
  "migrating",
  "moved",
  "failed",
  "skipped",
  "cancelled",
] as const;

/** One guest of an evacuation, in the order in which they go. */
export const evacuationGuestSchema = z.object({
  guest: name,
  to: name.nullable().describe("Null while no destination has been chosen, or none has room"),
  state: z
    .enum(evacuationGuestStates)
    .describe(
      "`failed`: it is where its migration left it, most often at the source; `skipped`: it had gone, or ended, before its turn",
    ),
  migration: z.string().nullable().describe("The last one that was begun for it"),
  attempt: z.int().nonnegative().describe("How many migrations were begun for it, or are to be"),
  predicted_s: z
    .number()
    .nullable()
    .describe("How long its memory needs on the link; null where the link's speed is not known"),
  memory_mib: z.number().describe("What it needs at its destination"),
  blackout_ms: z.number().nullable().describe("Of the migration that moved it"),
  error: evacuationErrorSchema.nullable().describe("Why it did not move; null otherwise"),
  progress: z
    .exactOptional(
      z.object({
        phase: z.enum(phases),
        transferred_bytes: z.number().nullable(),
        remaining_bytes: z.number().nullable(),
      }),
    )
    .describe("Only while it migrates"),
});

export const evacuationSchema = z
  .object({
    type: z.literal("evacuation"),
    id: name,
    host: name,
    state: z
      .enum(["running", "completed", "incomplete", "cancelled"])
      .describe("`incomplete`: it has ended, and not every guest was moved"),
    started_ms: wallClockMs,
    ended_ms: wallClockMs.nullable(),
    to: z.array(name),
    parallel: z.int(),
    parallel_per_link: z.int(),
    max_outage_ms: wish.max_outage_ms.describe("Of each guest; absent where none was asked for"),
    guests: z.array(evacuationGuestSchema),
  })
  .meta({
    id: "Evacuation",
    examples: [
      {
        ...{ type: "evacuation", id: "e5f1c0a9b2d3", host: "host-a", state: "running" },
        ...{ started_ms: 1_767_225_600_000, ended_ms: null },
        ...{ to: ["host-b", "host-c"], parallel: 2, parallel_per_link: 1 },
        guests: [
          {
            ...{ guest: "web1", to: "host-b", state: "migrating", migration: "m-01jd2v9" },
            ...{ attempt: 1, predicted_s: 1.2, memory_mib: 128, blackout_ms: null, error: null },
          },
        ],
      },
    ],
  });

/** What an evacuation would do. */
export const evacuationPlanSchema = z
  .object({
    type: z.literal("evacuation-plan"),
    host: name,
    parallel: z.int(),
    parallel_per_link: z.int(),
    destinations: z.array(
      z.object({
        host: name,
        available_mib: z.number().nullable().describe("Null when it did not answer"),
        maintenance: z.boolean(),
        error: evacuationErrorSchema.nullable().describe("Why no guest can go there"),
      }),
    ),
    guests: z.array(
      evacuationGuestSchema.pick({
        guest: true,
        to: true,
        predicted_s: true,
        memory_mib: true,
        error: true,
      }),
    ),
  })
  .meta({ id: "EvacuationPlan" });

export type EvacuationRequest = z.output<typeof evacuationRequestSchema>;
export type EvacuationError = z.output<typeof evacuationErrorSchema>;
export type EvacuationGuest = z.output<typeof evacuationGuestSchema>;
export type Evacuation = z.output<typeof evacuationSchema>;
export type EvacuationPlan = z.output<typeof evacuationPlanSchema>;

/**
 * Emptying a host of its guests. `host` is this one when it is null; a peer's daemon is asked otherwise, and what it
 * throws is thrown here.
 */
export interface EvacuationServices {
  /** Changes nothing. @throws SojournError as `startEvacuation`. */
  planEvacuation(host: string | null, request: EvacuationRequest): Promise<EvacuationPlan>;
  /**
   * Resolves when it is stored and begun; it goes on whatever becomes of the caller.
   * @throws SojournError `SOJ_EVACUATION_RUNNING` (409) naming the one under way, `SOJ_EVACUATION_TO` when a destination
   *   is the host itself or an anchor, `SOJ_HOST_UNKNOWN` (404), `SOJ_PEER_UNREACHABLE` (503) of the host that is to be
   *   emptied, `SOJ_EVACUATION_NOWHERE` when none of the destinations takes guests, `SOJ_EVACUATIONS_DAMAGED`.
   */
  startEvacuation(host: string | null, request: EvacuationRequest): Promise<Evacuation>;
  /** Those that the host remembers, newest first. */
  listEvacuations(host: string | null): Promise<Evacuation[]>;
  /** Also one of a peer's: all are asked. @throws SojournError `SOJ_EVACUATION_UNKNOWN` (404). */
  getEvacuation(id: string): Promise<Evacuation>;
  /**
   * What is queued is not begun; what is under way goes on, unless `running`.
   * @throws SojournError `SOJ_EVACUATION_UNKNOWN` (404), `SOJ_TOO_LATE` for one that has ended.
   */
  cancelEvacuation(id: string, options: { running: boolean }): Promise<Evacuation>;
}
