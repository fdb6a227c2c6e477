import { z } from "zod";

const guestStates = [
  "running-at-source",
  "running-at-destination",
  "paused-at-source",
  "untouched",
  "lost",
  "unknown",
] as const;

const common = {
  code: z.string().meta({ description: "Stable; `SOJ_…`", examples: ["SOJ_GUEST_BUSY"] }),
  hint: z.string().nullable().meta({ description: "What to do next" }),
  guest_state: z.enum(guestStates).nullable().meta({ description: "What is known of the guest" }),
  exit_code: z.int().meta({ description: "That of the command line" }),
  retryable: z.boolean().meta({ description: "The same request may succeed later" }),
  id: z.exactOptional(z.string()).meta({ description: "Of the migration that it is about" }),
};

/** Every answer that is none of the route's own (RFC 9457). The document refers to it by its id. */
export const problemSchema = z
  .object({
    type: z.string().meta({ examples: ["urn:sojourn:error:SOJ_GUEST_BUSY"] }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: "What happened, and in which state things are" }),
    ...common,
  })
  .meta({
    id: "Problem",
    examples: [
      {
        type: "urn:sojourn:error:SOJ_GUEST_BUSY",
        title: "Guest busy",
        status: 409,
        detail: "web1 is being migrated already (m-01jd2v9)",
        code: "SOJ_GUEST_BUSY",
        hint: "sojourn watch m-01jd2v9",
        guest_state: null,
        exit_code: 3,
        retryable: false,
        id: "m-01jd2v9",
      },
    ],
  });

/** How a migration ended that has no report to be proud of. */
export const errorRecordSchema = z
  .object({ type: z.literal("error"), message: z.string(), ...common })
  .meta({ id: "ErrorRecord" });
