import { z } from "zod";

/**
 * How hard a busy guest is pressed to move: `gentle` never slows it down, `balanced` throttles it and keeps its blackout within
 * the limit, `finish` accepts a longer one rather than to leave it where it is.
 */
export const policyNames = ["gentle", "balanced", "finish"] as const;

export type PolicyName = (typeof policyNames)[number];

/** Percent of the link that is left to others while a guest moves; the stream always has something. */
export const guestShareSchema = z.number().min(0).max(95);

/** How one guest is moved where a request does not say, as its definition has it. */
export const guestMigrationSchema = z.strictObject({
  policy: z
    .enum(policyNames)
    .optional()
    .describe(
      "How hard this guest is pressed to move; without it as the host's configuration says",
    ),
  post_copy: z
    .boolean()
    .optional()
    .describe("Whether it may run at the destination before all of its memory is there"),
  guest_share: guestShareSchema
    .optional()
    .describe("Percent of the link that is left to guests while this one moves"),
});
