import { z } from "zod";
import { gateResultSchema } from "./gates.ts";
import { flag, listOf } from "./lists.ts";
import { migrationSchema } from "./migrations.ts";
import { nameSchema } from "./names.ts";
import { errorRecordSchema } from "./problems.ts";
import { drainReportSchema, instantSchema, reportSchema } from "./reports.ts";

/** Data of an event of one migration, by its `event`. */
const eventSchemas = {
  phase: z
    .object({
      type: z.literal("phase"),
      id: z.string().meta({ description: "Of the migration" }),
      phase: instantSchema,
      host: z.string(),
      at_ms: z.number().meta({ description: "Since the migration's start, on the source's clock" }),
      wall_clock_ms: z.number(),
      drain: z.exactOptional(drainReportSchema),
    })
    .meta({
      id: "PhaseEvent",
      examples: [
        {
          ...{ type: "phase", id: "m-01jd2v9", phase: "precopy", host: "host-a" },
          ...{ at_ms: 214.3, wall_clock_ms: 1_763_000_000_214.3 },
        },
      ],
    }),
  progress: z
    .object({
      type: z.literal("progress"),
      id: z.string(),
      transferred_bytes: z.number(),
      remaining_bytes: z.number(),
      total_bytes: z.number(),
      bandwidth_mbps: z.number(),
      dirty_mbps: z.number().nullable(),
      dirty_syncs: z.number(),
      predicted_blackout_ms: z.number().nullable(),
      throttle_percent: z.exactOptional(z.number()).meta({
        description: "By how much the guest's processors are slowed; absent while they are not",
      }),
      forecast: z.exactOptional(z.object({ converges: z.boolean(), text: z.string() })).meta({
        description: "Whether the precopy is going to end; absent before the guest's rate is known",
      }),
      post_copy: z.exactOptional(z.literal(true)).meta({
        description:
          "The guest runs at the destination, and the rest of its memory follows; absent before",
      }),
      flows: z.exactOptional(z.object({ carried: z.number(), total: z.number() })).meta({
        description: "Of the guest's flows found so far; absent until the destination knows any",
      }),
    })
    .meta({ id: "ProgressEvent" }),
  gate: gateResultSchema
    .omit({ decision: true })
    .extend({
      type: z.literal("gate"),
      id: z.string(),
      decision: z.enum(["asked", "allow", "deny", "delay"]),
      wall_clock_ms: z.number(),
    })
    .meta({ id: "GateEvent" }),
  name: z
    .object({
      type: z.literal("name"),
      id: z.string().meta({ description: "Of the migration that has renumbered the guest" }),
      name: z.string(),
      address: z
        .string()
        .nullable()
        .meta({ description: "Where it leads now, or was to lead; null: nowhere" }),
      ttl_s: z.number().nullable().meta({
        description: "Resolvers may answer with the old address for so long; null when not known",
      }),
      failure: z
        .object({ code: z.string(), message: z.string() })
        .nullable()
        .meta({ description: "Why it was not updated, to be tried again; null when it was" }),
      wall_clock_ms: z.number(),
    })
    .meta({ id: "NameEvent" }),
  report: reportSchema,
  error: errorRecordSchema,
};

const gapSchema = z
  .object({
    type: z.literal("gap"),
    reason: z.enum(["too-old", "other-daemon"]),
    message: z.string(),
    hint: z.string(),
  })
  .meta({
    id: "GapEvent",
    description: "Events are missing before this place; what is known follows",
  });

/** Data of each event of `GET /v1/migrations/:id/events`. */
export const migrationEventSchema = z
  .union([...Object.values(eventSchemas), gapSchema])
  .meta({ id: "MigrationEvent" });

/** Data of each event of `GET /v1/events`. */
export const hostEventSchema = z
  .union([
    z.object({
      wall_clock_ms: z.number(),
      migration: migrationSchema,
      event: z.union(Object.values(eventSchemas)),
    }),
    gapSchema,
  ])
  .meta({ id: "HostEvent" });

/** Where a reader wants to go on; it may be any text, since it may come from another daemon. */
export const resumeHeaders = z.looseObject({
  "last-event-id": z.exactOptional(
    z.string().max(200).meta({ description: "Id of the last event that was read" }),
  ),
});

const resumeQuery = {
  last_event_id: z.exactOptional(
    z.string().max(200).meta({ description: "As the header, which counts if both are there" }),
  ),
};

/** Query of `GET /v1/migrations/:id/events`. */
export const followQuery = z.strictObject({
  ...resumeQuery,
  abort_on_disconnect: flag
    .default(false)
    .meta({ description: "Cancel the migration when this connection ends before it" }),
});

/** Query of `GET /v1/events`. */
export const hostEventsQuery = z.strictObject({
  ...resumeQuery,
  guest: z.exactOptional(listOf(nameSchema)).meta({ description: "Only of these guests" }),
  type: z
    .exactOptional(listOf(z.enum(["phase", "progress", "gate", "name", "report", "error"])))
    .meta({ description: "Only of these types" }),
});
