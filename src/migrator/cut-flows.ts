import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import { flowEnds } from "./flow-ends.ts";
import type { CutFlow } from "./retirement-schema.ts";

/** A flow of the guest's `address`, both ends as the guest sees them (as in `sojourn flows`). Pure. */
export function cutFlow(address: string, flow: TrackedFlow, idleMs: number | null): CutFlow {
  const { protocol, peer, guest, state } = flowEnds(address, flow);
  return {
    protocol: protocol ?? String(flow.protocol),
    ...{ peer, guest, state },
    idle_s: idleMs === null ? null : Math.floor(idleMs / 1000),
  };
}
