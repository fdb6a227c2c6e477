import { z } from "zod";
import { namePattern } from "../platform/names.ts";
import { definePeerProcedures } from "../platform/procedures.ts";
import { retirementReasons } from "./records.ts";
import { retirementSchema } from "./retirement-schema.ts";

const name = z.string().regex(namePattern);

/** Between a guest's home and the host where it is. */
export const retireProcedures = definePeerProcedures({
  /**
   * To the guest's host: home redirects nothing to it any more. Without an epoch nothing is changed: the answer tells
   * which one to name, so that a call that comes late retires no later stay of the guest.
   */
  "retire-redirect": {
    request: z.strictObject({
      guest: name,
      epoch: z.int().nonnegative().nullable(),
      reason: z.enum(retirementReasons),
    }),
    response: z.object({
      /** `unknown`: the guest is not there, as far as that host knows. */
      state: z.enum(["redirected", "retired", "unknown"]),
      epoch: z.int().nonnegative(),
      /** Entries of connection tracking that led home. */
      forgotten: z.int().nonnegative(),
    }),
    timeoutMs: 30_000,
  },
  /** To home, from where the guest is: an operator there asks what retiring would do, or has it done. */
  "retire-guest": {
    request: z.strictObject({ guest: name, confirm: z.boolean() }),
    response: retirementSchema,
    timeoutMs: 60_000,
  },
});
