import type { FlowTable, GuestFlow } from "../routing/flows/flow-table.ts";
import { barrierIdentifier } from "./barrier-address.ts";

/** Longer than a barrier lasts; its packets make it the kernel's own (nf_conntrack_icmp_timeout). */
const barrierTimeoutS = 60;

/** Where the barrier asks from, and what for. */
export interface BarrierQuestion {
  /** Of the migration. */
  id: string;
  barrierAddress: string;
  guestAddress: string;
}

/**
 * Makes this host's kernel take the barrier's echo requests for a flow that is established: what they are to prove is that
 * such flows will pass, and a stateful firewall may let through nothing else. Nothing on hosts that track nothing. Never
 * throws.
 * @param redirected as the flows of a guest that is renumbered here.
 */
export async function expectBarrier(
  flows: FlowTable,
  question: BarrierQuestion,
  redirected: boolean,
): Promise<void> {
  try {
    if (!(await flows.isTracking())) return;
    await flows.install(question.guestAddress, [barrierFlow(question)], { redirected });
  } catch {
    // No reason not to ask: where this was needed, the barrier gets no answer.
  }
}

function barrierFlow({ id, barrierAddress }: BarrierQuestion): GuestFlow {
  return {
    ...{ protocol: 1, direction: "in", peer: barrierAddress, peerPort: null, guestPort: null },
    icmp: { type: 8, code: 0, id: barrierIdentifier(id) },
    ...{ state: null, replied: true, assured: false },
    ...{ timeoutS: barrierTimeoutS, windowScale: null },
  };
}
