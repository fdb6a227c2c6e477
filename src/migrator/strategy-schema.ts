import { z } from "zod";
import { hasItsDelay, longestDelayMs, strategyNames } from "./strategy.ts";

/** A strategy in a request from outside. */
export const strategySchema = z
  .strictObject({
    name: z.enum(strategyNames),
    delay_ms: z.exactOptional(z.number().min(0).max(longestDelayMs)),
  })
  .refine(hasItsDelay, "delay_ms belongs to script-2009, which needs it, and to no other strategy");
