import { z } from "zod";
import { phases } from "../../../migrator/phases.ts";
import { retirementReasons } from "../../../migrator/records.ts";
import { outcomes } from "../../../migrator/report.ts";
import { strategyNames } from "../../../migrator/strategy.ts";
import { gateResultSchema } from "./gates.ts";
import { count, probesSchema } from "./probes.ts";

const instants = [
  ...phases,
  "stop",
  "pre-switchover",
  "promise",
  "route-change",
  "continue",
  "takeover",
  "resume",
  "gate",
] as const;

/** A phase, or an instant of the switchover. */
export const instantSchema = z.enum(instants);

const flowsReportSchema = z
  .object({
    established: count.meta({
      description: "In the source's connection tracking when the guest was about to be stopped",
    }),
    survived: count.nullable().meta({
      description: "Of these, those that nobody had reset when the migration was verified",
    }),
    carried: z
      .exactOptional(count)
      .meta({ description: "Tracked by the destination when the guest went on there" }),
    refused: z
      .exactOptional(z.record(z.string(), count))
      .meta({ description: "What the destination's kernel refused, by errno" }),
    carry_ms: z
      .exactOptional(z.number())
      .meta({ description: "Reading, sending and installing all of them during precopy" }),
    difference_ms: z
      .exactOptional(z.number())
      .meta({ description: "The same for what had changed just before the guest was stopped" }),
  })
  .meta({
    id: "Flows",
    description: "The guest's flows across the migration; null where the source tracked none",
  });
/** What has become of the redirect since. */
export const drainReportSchema = z
  .object({
    state: z.enum(["draining", "retired", "ended"]).meta({
      description: "`ended`: the guest has come home or ended before its redirect was retired",
    }),
    reason: z.enum(retirementReasons).nullable(),
    retired_ms: z.number().nullable().meta({ description: "Milliseconds since 1970" }),
    freed: z
      .string()
      .nullable()
      .meta({ description: "The guest's old address, once it is its home's to give again" }),
  })
  .meta({ id: "Drain" });

/** The stable result of a migration. */
export const reportSchema = z
  .object({
    type: z.literal("report"),
    id: z.string(),
    guest: z.string(),
    from: z.string(),
    to: z.string(),
    outcome: z.enum(outcomes),
    resolved: z.exactOptional(z.enum(["source", "destination"])),
    strategy: z.exactOptional(z.enum(strategyNames)),
    tunnel: z
      .object({ kind: z.string(), datapath: z.enum(["kernel", "bpf"]), mtu: z.number() })
      .nullable(),
    timeline: z.array(z.object({ phase: instantSchema, at_ms: z.number(), host: z.string() })),
    gates: z
      .exactOptional(z.array(gateResultSchema))
      .meta({ description: "Absent when no gate was asked" }),
    blackout_ms: z.number().nullable().meta({
      description: "The guest paused: from STOP at the source to RESUME at the destination",
    }),
    total_ms: z.number(),
    transferred_bytes: z.number().nullable(),
    post_copy: z.exactOptional(z.object({ duration_ms: z.number(), recovered: z.int() })).meta({
      description:
        "How long memory followed the guest, and how often over a new connection; absent when all of it went before",
    }),
    clock_offset_ms: z.number().nullable(),
    clock_error_ms: z.number().nullable(),
    packets_dropped: z.number().nullable(),
    probes: probesSchema,
    guest_clock_step_ms: z.number().nullable(),
    flows: flowsReportSchema.nullable(),
    drain: z
      .exactOptional(drainReportSchema)
      .meta({ description: "Absent until the redirect drains or is retired" }),
    renumbered: z
      .exactOptional(z.object({ from: z.string(), to: z.string() }))
      .meta({ description: "Absent when the guest has kept its address alone" }),
    budget_ms: z.number().nullable(),
    within_budget: z.boolean().nullable(),
  })
  .meta({
    id: "Report",
    description: "Figures that were not measured are null",
    examples: [
      {
        ...{ type: "report", id: "m-01jd2v9", guest: "web1", from: "host-a", to: "host-b" },
        outcome: "completed",
        tunnel: { kind: "ipip", datapath: "kernel", mtu: 1480 },
        timeline: [{ phase: "preparing", at_ms: 0, host: "host-b" }],
        ...{ blackout_ms: 24.1, total_ms: 612, transferred_bytes: 73_000_000 },
        ...{ clock_offset_ms: 0.2, clock_error_ms: 0.4, packets_dropped: 0 },
        probes: {
          tcp_echo: {
            ...{ outage_ms: 27.9, floor_ms: 6.1, sessions: 1, broken: 0 },
            ...{ retransmissions: 0, rto: 0 },
          },
        },
        ...{ guest_clock_step_ms: null, flows: { established: 3, survived: 3, carried: 3 } },
        ...{ budget_ms: 100, within_budget: true },
      },
    ],
  });
