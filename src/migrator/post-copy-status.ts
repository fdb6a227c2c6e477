import type { GuestInstance, MigrationStatus } from "../hypervisor/hypervisor.ts";
import { delay, monotonicMs } from "../platform/clock.ts";

/** A stream that ends otherwise is so far within this time. */
const [passingMs, lookMs] = [3_000, 20];

/** Whether the guest was handed over and the rest of its memory is to follow, over a connection or once there is one. */
export function isFollowing(status: MigrationStatus): boolean {
  return status === "postcopy-active" || status === "postcopy-paused" || isReconnecting(status);
}

/** Whether a new connection is being made: that ends by itself, one way or another, unless the other side is silent. */
export function isReconnecting(status: MigrationStatus): boolean {
  return status === "postcopy-recover-setup" || status === "postcopy-recover";
}

/** Whether the stream was not handed over yet, or has ended so that its source has the guest as it was. */
export function mayGoBack(status: MigrationStatus): boolean {
  return ["none", "setup", "active", "pre-switchover", "failed", "cancelled"].includes(status);
}

/**
 * Whether a process that QEMU has told to hand its guest over can no longer run it. That begins with `device`: in 10.0 a
 * destination that dies there leaves it, and `finish-migrate`, for good (`postcopy_start` in migration/migration.c), and
 * `cont` answers that the migration is not finalized.
 */
export async function isHandedOver(
  instance: Pick<GuestInstance, "migrationProgress" | "runState">,
): Promise<boolean> {
  const deadlineMs = monotonicMs() + passingMs;
  for (;;) {
    const { status } = await instance.migrationProgress();
    if (isFollowing(status)) return true;
    const passes = status === "device" || status === "cancelling";
    if (!passes || (await instance.runState()) !== "finish-migrate") return false;
    if (monotonicMs() > deadlineMs) return true;
    await delay(lookMs);
  }
}
