import { z } from "zod";
import { hasItsDelay, longestDelayMs, type Strategy, strategyNames } from "./strategy.ts";

/** A strategy in a request from outside. */
export const strategySchema = z
  .strictObject({
    name: z.enum(strategyNames),
    delay_ms: z.number().min(0).max(longestDelayMs).optional(),
  })
  .refine(hasItsDelay, "delay_ms belongs to script-2009, which needs it, and to no other strategy")
  .transform(
    ({ name, delay_ms }): Strategy => ({ name, ...(delay_ms === undefined ? {} : { delay_ms }) }),
  );
