import { z } from "zod";
import { namePattern } from "../../../platform/names.ts";

/** A name that a user chooses: of a guest or a host. */
export const nameSchema = z
  .string()
  .regex(namePattern)
  .meta({ description: "Letters, digits, '.', '_' and '-', at most 63", examples: ["web1"] });

/** Path parameter of a guest. */
export const namedParams = z.object({ name: nameSchema });

/** Path parameter of a migration. */
export const identifiedParams = z.object({
  id: z.string().regex(namePattern).meta({ description: "Of the migration" }),
});
