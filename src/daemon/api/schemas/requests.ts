import { z } from "zod";
import { guestShareSchema, policyNames } from "../../../hypervisor/guest-migration.ts";
import { phases } from "../../../migrator/phases.ts";
import { strategySchema } from "../../../migrator/strategy-schema.ts";
import { tunnelKinds } from "../../../tunnels/tunnel.ts";
import { idempotencyKeyPattern } from "../../idempotency.ts";
import { pageQuery } from "../list-pages.ts";
import { flag, listOf, moment } from "./lists.ts";
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
    renumber: z.exactOptional(z.union([z.literal("auto"), z.ipv4()])).meta({
      description:
        "An address of the destination's guest subnets for the guest's new flows, or `auto` for one that is free; established flows keep the old address",
      examples: ["auto"],
    }),
    drain_idle_s: z.exactOptional(z.number().positive().max(2_592_000)).meta({
      description:
        "With `renumber`, in place of `[drain] idle_timeout_s`: flows that send nothing for so long do not hold the redirect",
    }),
    drain_cap_s: z.exactOptional(z.number().min(0).max(31_536_000)).meta({
      description:
        "With `renumber`, in place of `[drain] cap_s`: the redirect goes after so long whoever uses it; 0: never",
    }),
    release_renumbered: z.exactOptional(z.boolean()).meta({
      description:
        "A renumbered guest may lose the address that it got at its host, and the sessions on it, by leaving there",
    }),
    policy: z.exactOptional(z.enum(policyNames)).meta({
      description:
        "How hard a busy guest is pressed to move; without it as the guest's definition or the configuration says",
    }),
    post_copy: z.exactOptional(z.boolean()).meta({
      description:
        "Whether it may run at the destination before all of its memory is there, if it does not converge: it is lost if its destination or the link then fails for good",
    }),
    guest_share: z.exactOptional(guestShareSchema).meta({
      description: "Percent of the link that is left to guests' own traffic during precopy",
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
  .refine(
    ({ renumber, drain_idle_s, drain_cap_s }) =>
      renumber !== undefined || (drain_idle_s === undefined && drain_cap_s === undefined),
    "drain_idle_s and drain_cap_s go with renumber: nothing else drains",
  )
  .refine(
    ({ renumber, strategy }) =>
      renumber === undefined || (strategy?.name ?? "lossless") === "lossless",
    "renumber goes with strategy lossless alone",
  )
  .meta({
    id: "MigrationRequest",
    examples: [{ guest: "web1", to: "host-b", max_outage_ms: 100 }],
  });

/** Header of `POST /v1/migrations`; its form is checked with the key's own error. */
export const startHeaders = z.looseObject({
  "idempotency-key": z.exactOptional(z.string()).meta({
    description:
      "The same request with the same key begins nothing a second time: 1 to 64 printable ASCII characters, bare or quoted",
    examples: ['"5f3c2c1e-evacuate-web1"'],
  }),
});

/** Query of `GET /v1/migrations`. */
export const listQuery = pageQuery.extend({
  guest: z.exactOptional(nameSchema),
  from: z.exactOptional(nameSchema),
  to: z.exactOptional(nameSchema),
  state: z.exactOptional(listOf(z.enum(phases))),
  open: z
    .exactOptional(flag)
    .meta({ description: "Only those that have not ended or are in doubt, or only the others" }),
  since: z.exactOptional(moment).meta({ description: "Begun then or later" }),
  until: z.exactOptional(moment).meta({ description: "Begun before" }),
  idempotency_key: z.exactOptional(z.string().regex(idempotencyKeyPattern)).meta({
    description: "The one that a request with this key began; other filters do not count",
  }),
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
