import { z } from "zod";
import { phases } from "../../../migrator/phases.ts";
import { plannedGateSchema } from "./gates.ts";
import { errorRecordSchema } from "./problems.ts";

const planLine = z.object({ command: z.string(), undo: z.string().nullable() });

/** A migration as lists show it. */
export const migrationSchema = z
  .object({
    id: z.string(),
    guest: z.string(),
    from: z.string(),
    to: z.string(),
    state: z.enum(phases),
    started_ms: z.number().meta({ description: "Wall clock, milliseconds since 1970" }),
    ended_ms: z.number().nullable(),
  })
  .meta({
    id: "Migration",
    examples: [
      {
        id: "m-01jd2v9",
        guest: "web1",
        from: "host-a",
        to: "host-b",
        state: "precopy",
        started_ms: 1_763_000_000_000,
        ended_ms: null,
      },
    ],
  });

export const migrationDetailSchema = z
  .object({
    ...migrationSchema.shape,
    error: errorRecordSchema.nullable().meta({
      description:
        "Why it did not complete; null while it is under way, and when there is a report",
    }),
  })
  .meta({
    id: "MigrationDetail",
    examples: [
      {
        ...{ id: "m-01jd2v9", guest: "web1", from: "host-a", to: "host-b", state: "rolled-back" },
        ...{ started_ms: 1_763_000_000_000, ended_ms: 1_763_000_002_000 },
        error: {
          ...{ type: "error", code: "SOJ_DENIED_BY_GATE", message: "gate change-window denied it" },
          ...{ hint: null, guest_state: "running-at-source", exit_code: 4, retryable: true },
          id: "m-01jd2v9",
        },
      },
    ],
  });

/** What a migration would do, host by host, in order. */
export const planSchema = z
  .object({
    type: z.literal("plan"),
    guest: z.string(),
    from: z.string(),
    to: z.string(),
    tunnel: z.string(),
    renumber: z
      .exactOptional(
        z.object({
          from: z.string(),
          to: z
            .string()
            .meta({ description: "Likely, where any address was asked for: nobody was asked" }),
          idle_timeout_s: z.number(),
          cap_s: z.number().nullable(),
        }),
      )
      .meta({ description: "Absent when the guest keeps its address alone" }),
    hosts: z.array(
      z.object({
        host: z.string(),
        when: z.enum(["prepare", "switchover", "resumed"]),
        lines: z.array(planLine),
      }),
    ),
    gates: z
      .exactOptional(z.array(plannedGateSchema))
      .meta({ description: "Who is asked whether it may go on; absent when nobody is" }),
    warnings: z.array(z.string()),
  })
  .meta({
    id: "MigrationPlan",
    examples: [
      {
        ...{ type: "plan", guest: "web1", from: "host-a", to: "host-b", tunnel: "ipip" },
        hosts: [
          {
            ...{ host: "host-a", when: "switchover" },
            lines: [
              {
                command: "ip route replace 10.1.0.10/32 dev sjt0a1b2c3d4",
                undo: "ip route replace 10.1.0.10/32 dev br-guests",
              },
            ],
          },
        ],
        warnings: [],
      },
    ],
  });

const facts = z.object({
  host: z.string(),
  run_state: z.string().meta({ description: "QEMU's word, or `none` where there is no process" }),
  held: z.boolean().meta({ description: "The journal is damaged: records may be missing" }),
  journal: z.array(
    z.object({
      at: z.string(),
      role: z.enum(["source", "destination"]),
      step: z.string(),
      epoch: z.int(),
    }),
  ),
});

/** What an operator's decision rests on and would do, or has done. */
export const resolutionSchema = z
  .object({
    type: z.literal("resolution"),
    id: z.string(),
    guest: z.string(),
    keep: z.enum(["source", "destination"]),
    role: z
      .enum(["source", "destination"])
      .meta({ description: "What the asked host is to the migration" }),
    here: facts,
    there: facts.nullable(),
    unreachable: z.string().nullable(),
    refusal: z.string().nullable().meta({ description: "Null when it may be carried out" }),
    steps: z
      .array(z.string())
      .meta({ description: "What would be done, or is done; empty when it is refused" }),
    confirmed: z.boolean(),
    status: migrationSchema.nullable(),
  })
  .meta({
    id: "Resolution",
    examples: [
      {
        ...{ type: "resolution", id: "m-01jd2v9", guest: "web1", keep: "source", role: "source" },
        here: { host: "host-a", run_state: "paused", held: false, journal: [] },
        ...{ there: null, unreachable: "host-b does not answer", refusal: null },
        ...{ steps: ["web1 goes on at host-a"], confirmed: false, status: null },
      },
    ],
  });
