import type { TimelineEntry } from "../../../src/migrator/report.ts";

/**
 * Ways to move a guest from one subnet to another: `sojourn migrate` of a libvirt domain, the same of a guest of the
 * QEMU driver, `virsh migrate` with Sojourn's hook, and `virsh migrate` followed by a script of route commands.
 */
export const methodNames = ["libvirt", "qemu", "hook", "script"] as const;

export type MethodName = (typeof methodNames)[number];

/** What a move tells of itself. */
export interface Moved {
  /** From QEMU's STOP to QEMU's RESUME, by its own stamps; null when one was not heard of. */
  blackoutMs: number | null;
  /** Of Sojourn's report; empty where there is none. */
  timeline: TimelineEntry[];
}

/** Each has a guest of its own, of the same image and size, so that none meets what another has left. */
export interface Method extends AsyncDisposable {
  readonly name: MethodName;
  readonly address: string;
  /**
   * Moves the guest and leaves its traffic led to where it is.
   * @throws Error unless it has moved.
   */
  move(from: string, to: string, signal: AbortSignal): Promise<Moved>;
}
