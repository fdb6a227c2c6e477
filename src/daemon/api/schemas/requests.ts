import { z } from "zod";
import { strategySchema } from "../../../migrator/strategy-schema.ts";
import { tunnelKinds } from "../../../tunnels/tunnel.ts";
import { idempotencyKeyPattern } from "../../idempotency.ts";
import { nameSchema } from "./names.ts";

/** Body of `POST /v1/migrations`. */
export const migrationBody = z
  .strictObject({
    guest: nameSchema,
    to: nameSchema.meta({ description: "The destination host", examples: ["host-b"] }),
    tunnel: z.exactOptional(z.enum(["auto", ...tunnelKinds])),
    max_outage_ms: z.exactOptional(z.number().positive().max(3_600_000)).meta({
      description: "Budget for the outage that probes measure; judged, never enforced",
    }),
    timeout_s: z.exactOptional(z.number().positive().max(86_400)),
    strategy: z.exactOptional(strategySchema).meta({
      description: "For benchmarks: all but `lossless`, the default, lose packets",
    }),
    dry_run: z
      .boolean()
      .default(false)
      .meta({ description: "Answer with the plan (200) and change nothing" }),
    abort_unless_followed: z.boolean().default(false).meta({
      description:
        "Cancel it unless its events are followed with `abort_on_disconnect` within 10 s",
    }),
  })
  .meta({
    id: "MigrationRequest",
    examples: [{ guest: "web1", to: "host-b", max_outage_ms: 100 }],
  });

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
export const resolutionBody = z
  .strictObject({
    keep: z.enum(["source", "destination"]),
    confirm: z
      .boolean()
      .default(false)
      .meta({ description: "Without it nothing is decided: the answer tells what would be done" }),
  })
  .meta({ id: "Decision", examples: [{ keep: "source" }] });
