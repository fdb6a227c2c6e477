import { z } from "zod";
import { namePattern } from "../platform/names.ts";

/** A path in the configuration. */
export const absolutePath = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, "not an absolute path");

/** A name that an operator chooses: of a host, a webhook, a gate. */
export const configuredName = z
  .string()
  .regex(namePattern, "not a name (letters, digits, '.', '_', '-', at most 63)");
