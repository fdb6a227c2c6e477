import type { RunState } from "../../hypervisor.ts";
import { DomainState, PausedReason } from "../rpc/constants/domain-state.ts";

/** What `domainGetState` answers. */
export interface DomainStateReply {
  /** @see DomainState */
  state: number;
  /** Its meaning depends on the state: @see PausedReason */
  reason: number;
}

/** Whether the guest's processors go. */
export function isRunning({ state }: DomainStateReply): boolean {
  return state === DomainState.running || state === DomainState.blocked;
}

/**
 * QEMU's run state as libvirt's state and reason tell it, without a question to QEMU's monitor, which would mark the
 * domain as tainted. A guest that is paused while a migration goes out is `postmigrate` from its stop on, whoever stopped
 * it: libvirt does not tell the difference.
 * @param isArriving the stream that brings the guest is not at its end yet.
 */
export function runStateOf(reply: DomainStateReply, isArriving: boolean): RunState {
  if (isRunning(reply)) return "running";
  switch (reply.state) {
    case DomainState.paused:
      return pausedState(reply.reason, isArriving);
    case DomainState.crashed:
      return "internal-error";
    case DomainState.suspendedByGuest:
      return "suspended";
    case DomainState.shutdown:
    case DomainState.shutoff:
      return "shutdown";
    default:
      return "unknown";
  }
}

function pausedState(reason: number, isArriving: boolean): RunState {
  switch (reason) {
    case PausedReason.migration:
      return isArriving ? "inmigrate" : "postmigrate";
    case PausedReason.startingUp:
      return "inmigrate";
    case PausedReason.ioError:
      return "io-error";
    case PausedReason.crashed:
      return "guest-panicked";
    default:
      return "paused";
  }
}
