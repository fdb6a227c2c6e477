import { z } from "zod";
import { strategySchema } from "../../migrator/strategy-schema.ts";
import { namePattern } from "../../platform/names.ts";
import { longestTimeline } from "../../probe/throughput-timeline.ts";
import { tunnelKinds } from "../../tunnels/tunnel.ts";
import { idempotencyKeyPattern } from "../idempotency.ts";
import type { MigrationRequest, ProbeResults } from "../services.ts";

const name = z.string().regex(namePattern);
const duration = z.number().min(0).nullable();
const count = z.int().min(0);

const echoResult = z.strictObject({
  outage_ms: duration,
  floor_ms: duration,
  sessions: count,
  broken: count,
  retransmissions: count.nullable().default(null),
  rto: count.nullable().default(null),
});

const streamResult = echoResult.extend({
  before_mbps: duration,
  after_mbps: duration,
  recovery_ms: duration,
});

const httpResult = echoResult.extend({
  status_errors: count,
  guest_clock_step_ms: z.number().nullable(),
  guest_clock_error_ms: duration,
  guest_retransmissions: count.nullable(),
  guest_rto: count.nullable(),
});

const packetResult = z.strictObject({
  sent: count,
  lost: count,
  unread: count.default(0),
  duplicated: count,
  reordered: count,
  outage_ms: duration,
  floor_ms: duration,
});

const throughputTimeline = z.strictObject({
  start_ms: z.number(),
  step_ms: z.number().positive().max(3_600_000),
  mbps: z.array(z.number().min(0)).max(longestTimeline),
});

/** Body of `PUT /v1/migrations/:id/report`. */
export const probeResultsBody = z.strictObject({
  probes: z
    .strictObject({
      tcp_echo: echoResult.optional(),
      tcp_stream: streamResult.optional(),
      tcp_upload: streamResult.optional(),
      http: httpResult.optional(),
      packet: packetResult.optional(),
    })
    .transform(
      ({ tcp_echo, tcp_stream, tcp_upload, http, packet }): ProbeResults => ({
        ...(tcp_echo === undefined ? {} : { tcp_echo }),
        ...(tcp_stream === undefined ? {} : { tcp_stream }),
        ...(tcp_upload === undefined ? {} : { tcp_upload }),
        ...(http === undefined ? {} : { http }),
        ...(packet === undefined ? {} : { packet }),
      }),
    ),
  flows: z.strictObject({ established: count, survived: count }).nullable().default(null),
  throughput: throughputTimeline.nullable().default(null),
});

/** Body of `POST /v1/migrations`. */
export const migrationBody = z
  .strictObject({
    guest: name,
    to: name,
    tunnel: z.enum(["auto", ...tunnelKinds]).optional(),
    max_outage_ms: z.number().positive().max(3_600_000).optional(),
    timeout_s: z.number().positive().max(86_400).optional(),
    strategy: strategySchema.optional(),
    dry_run: z.boolean().default(false),
    abort_unless_followed: z.boolean().default(false),
  })
  .transform(
    ({
      tunnel,
      max_outage_ms,
      timeout_s,
      strategy,
      ...rest
    }): MigrationRequest & { dry_run: boolean; abort_unless_followed: boolean } => ({
      ...rest,
      ...(strategy === undefined ? {} : { strategy }),
      ...(tunnel === undefined ? {} : { tunnel }),
      ...(max_outage_ms === undefined ? {} : { max_outage_ms }),
      ...(timeout_s === undefined ? {} : { timeout_s }),
    }),
  );

/** Query of `GET /v1/migrations`. */
export const listQuery = z.strictObject({
  limit: z.coerce.number().int().min(0).max(1_000_000).optional(),
  idempotency_key: z.string().regex(idempotencyKeyPattern).optional(),
});

/** Query of `GET /v1/migrations/:id/events`. */
export const followQuery = z.strictObject({
  abort_on_disconnect: z
    .enum(["true", "false"])
    .default("false")
    .transform((text) => text === "true"),
});

/** Body of `POST /v1/migrations/:id/resolve`. */
export const resolutionBody = z.strictObject({
  keep: z.enum(["source", "destination"]),
  confirm: z.boolean().default(false),
});
