import { z } from "zod";
import { longestTimeline } from "../../../probe/throughput-timeline.ts";

const duration = z.number().min(0).nullable();
export const count = z.int().min(0);

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

/** What probers measured; a probe that did not run is absent. */
export const probesSchema = z
  .strictObject({
    tcp_echo: z.exactOptional(echoResult),
    tcp_stream: z.exactOptional(streamResult),
    tcp_upload: z.exactOptional(streamResult),
    http: z.exactOptional(httpResult),
    packet: z.exactOptional(packetResult),
  })
  .meta({ id: "Probes", description: "What probers saw; a probe that did not run is absent" });

/** TCP sessions across a migration. */
export const flowCountsSchema = z.strictObject({ established: count, survived: count }).nullable();

/** Throughput over time in equal steps. */
export const throughputSchema = z
  .strictObject({
    start_ms: z
      .number()
      .meta({ description: "Where the first step begins; 0 is the migration's start" }),
    step_ms: z.number().positive().max(3_600_000),
    mbps: z.array(z.number().min(0)).max(longestTimeline),
  })
  .meta({
    id: "Throughput",
    examples: [{ start_ms: -2_000, step_ms: 10, mbps: [498.2, 501.7] }],
  });

/** Body of `PUT /v1/migrations/:id/report`. */
export const probeResultsBody = z
  .strictObject({
    probes: probesSchema,
    flows: flowCountsSchema.default(null),
    throughput: throughputSchema.nullable().default(null),
  })
  .meta({
    id: "Measurement",
    examples: [
      {
        probes: { tcp_echo: { outage_ms: 27.9, floor_ms: 6.1, sessions: 1, broken: 0 } },
        flows: { established: 1, survived: 1 },
      },
    ],
  });
