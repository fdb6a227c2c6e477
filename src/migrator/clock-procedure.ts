import { z } from "zod";
import { definePeerProcedures } from "../platform/procedures.ts";

/** Readings of a peer's clocks, for an estimate of the offset. */
export const clockProcedure = definePeerProcedures({
  clock: {
    request: z.strictObject({}),
    response: z.object({ monotonic_ms: z.number(), wall_clock_ms: z.number() }),
    timeoutMs: 3_000,
  },
});
