import { wallClockMs } from "../../../platform/clock.ts";
import type { GuestEvent, MigrationStatus } from "../../hypervisor.ts";
import type { MonitorMessage } from "../rpc/events/monitor-event.ts";

/** An event of QEMU's as libvirt passed it on, with QEMU's own stamp. */
export function guestEventOf(message: MonitorMessage, receivedMs: number): GuestEvent {
  return {
    name: message.event,
    data: dataOf(message.details ?? null),
    timestampMs: Number(message.seconds) * 1000 + message.microseconds / 1000,
    receivedMs,
  };
}

/** One that QEMU did not send, or that nobody heard: stamped now. */
export function ownEvent(
  name: string,
  receivedMs: number,
  data: GuestEvent["data"] = {},
): GuestEvent {
  return { name, data, timestampMs: wallClockMs(), receivedMs };
}

/** The new status of a migration; null for an event that tells of something else. */
export function migrationStatusOf({ name, data }: GuestEvent): MigrationStatus | null {
  return name === "MIGRATION" && typeof data.status === "string" ? data.status : null;
}

function dataOf(details: string | null): GuestEvent["data"] {
  if (details === null) return {};
  try {
    const data: unknown = JSON.parse(details);
    return typeof data === "object" && data !== null && !Array.isArray(data)
      ? (data as GuestEvent["data"])
      : {};
  } catch {
    return {};
  }
}
