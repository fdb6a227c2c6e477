import type { GuestFlow } from "../routing/flows/flow-table.ts";
import { isOver } from "./flow-needs.ts";

/** Between its first packet and the one that makes it established, TCP accepts only what is part of the handshake. */
const halfOpen: ReadonlySet<string | null> = new Set(["SYN_SENT", "SYN_SENT2", "SYN_RECV"]);

/** What tells a flow from all others of its guest, on every host: the guest's view of it, without what changes. */
export function flowKey({
  protocol,
  direction,
  peer,
  peerPort,
  guestPort,
  icmp,
}: GuestFlow): string {
  // Who began it is told by its ports, and a host that has seen it only from its middle may take the other for that.
  const what = icmp === null ? `${peerPort} ${guestPort}` : `${icmp.id} ${icmp.type} ${direction}`;
  return `${protocol} ${peer} ${what}`;
}

/** Packets have gone both ways, beyond TCP's handshake, and nobody has ended or reset it. Pure. */
export function isEstablished(flow: GuestFlow): boolean {
  return flow.replied && !isOver(flow) && !halfOpen.has(flow.state);
}

/** Somebody has reset it. Pure. */
export function isReset({ state }: Pick<GuestFlow, "state">): boolean {
  return state === "CLOSE";
}

/** What a destination knows of a guest's flows already, so that none is sent to it twice. */
export class FlowLedger {
  readonly #known = new Map<string, string>();

  /** How many it was told of. */
  get size(): number {
    return this.#known.size;
  }

  /**
   * Those of `flows` that the destination does not know, or knows otherwise. Not those that are over.
   * @param isEarly there will be another reading: half-open ones have come further, or ended, by then.
   */
  due(flows: readonly GuestFlow[], { isEarly }: { isEarly: boolean }): GuestFlow[] {
    return flows.filter((flow) => {
      if (isOver(flow) || (isEarly && halfOpen.has(flow.state))) return false;
      return this.#known.get(flowKey(flow)) !== conditionOf(flow);
    });
  }

  /** How many it will know once it has been told of these too. */
  sizeWith(flows: readonly GuestFlow[]): number {
    return this.size + flows.filter((flow) => !this.#known.has(flowKey(flow))).length;
  }

  /** The destination has answered for these. */
  note(flows: readonly GuestFlow[]): void {
    for (const flow of flows) this.#known.set(flowKey(flow), conditionOf(flow));
  }
}

/** Its time-out, which changes all the time, apart. */
function conditionOf({ state, replied, assured }: GuestFlow): string {
  return `${state} ${replied} ${assured}`;
}
