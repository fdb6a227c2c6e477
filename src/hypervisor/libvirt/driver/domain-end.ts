import { LifecycleEvent, StartedDetail, StoppedDetail } from "../rpc/constants/lifecycle.ts";
import type { LifecycleMessage } from "../rpc/events/domain-events.ts";
import type { DomainEnd, StartedDomain } from "./libvirt-hypervisor.ts";

const ends: readonly [number, DomainEnd][] = [
  [StoppedDetail.shutdown, "shutdown"],
  [StoppedDetail.destroyed, "destroyed"],
  [StoppedDetail.crashed, "crashed"],
  [StoppedDetail.migrated, "migrated"],
  [StoppedDetail.saved, "saved"],
  [StoppedDetail.failed, "failed"],
];

const starts: readonly [number, StartedDomain["how"]][] = [
  [StartedDetail.booted, "booted"],
  [StartedDetail.migrated, "migrated"],
  [StartedDetail.restored, "restored"],
  [StartedDetail.fromSnapshot, "from-snapshot"],
];

/** Why the domain's process is gone; null for an event that tells of something else. */
export function endOf({
  event,
  detail,
}: Pick<LifecycleMessage, "event" | "detail">): DomainEnd | null {
  if (event !== LifecycleEvent.stopped) return null;
  return new Map(ends).get(detail) ?? "unknown";
}

/** How the domain came to run; null for an event that tells of something else. */
export function startOf({
  event,
  detail,
}: Pick<LifecycleMessage, "event" | "detail">): StartedDomain["how"] | null {
  if (event !== LifecycleEvent.started) return null;
  return new Map(starts).get(detail) ?? "other";
}
