import type { GuestInstance } from "../../hypervisor/hypervisor.ts";
import { readIfThere } from "../../platform/files.ts";
import { waitAtMost } from "../../platform/waiting.ts";
import { ConcurrencyLimit } from "../concurrency-limit.ts";
import { type GuestPlaces, guestsHere } from "../maintenance/guests-here.ts";
import type { GuestLoad } from "./cost.ts";

/** A guest that runs here, or stands. */
export interface RunningGuest {
  guest: string;
  memoryMib: number;
  home: string;
  instance: Pick<GuestInstance, "pid" | "dirtyRate">;
}

/** Measuring costs the guests' processes something: so many at once. */
const measuredAtOnce = 8;

/** However many guests there are, their evacuation begins after this (ms). */
const longestMeasuringMs = 10_000;

/** Guests that this host runs, arriving ones not among them. */
export function guestsToMove(host: string, places: GuestPlaces): RunningGuest[] {
  return guestsHere(host, places).running.flatMap(({ guest, home, definition }) => {
    const instance = places.guests.instance(guest);
    if (instance === undefined) return [];
    return [{ guest, memoryMib: definition.memory_mib, home: home.host, instance }];
  });
}

/** What each guest's migration has to send. Where it cannot be measured in time, its memory alone is known. */
export async function measureLoads(
  guests: readonly RunningGuest[],
): Promise<Map<string, GuestLoad>> {
  const loads = new Map<string, GuestLoad>(
    guests.map(({ guest, memoryMib }) => [
      guest,
      { usedBytes: memoryMib * 1024 ** 2, dirtyBytesPerSecond: null },
    ]),
  );
  const limit = new ConcurrencyLimit(measuredAtOnce);
  const measuring = guests.map(async (guest) => {
    using _turn = await limit.turn(undefined, () => new Error("stopped"));
    loads.set(guest.guest, await loadOf(guest));
  });
  await waitAtMost(longestMeasuringMs, Promise.all(measuring));
  return loads;
}

async function loadOf({ memoryMib, instance }: RunningGuest): Promise<GuestLoad> {
  const memoryBytes = memoryMib * 1024 ** 2;
  const [residentBytes, dirtyBytesPerSecond] = await Promise.all([
    residentBytesOf(instance.pid),
    instance.dirtyRate?.().catch(() => null) ?? null,
  ]);
  return { usedBytes: Math.min(residentBytes ?? memoryBytes, memoryBytes), dirtyBytesPerSecond };
}

/** VmRSS of proc_pid_status(5): what the guest has touched, and QEMU's own; null for a process that has ended. */
async function residentBytesOf(pid: number): Promise<number | null> {
  const status = await readIfThere(`/proc/${pid}/status`).catch(() => null);
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status ?? "")?.[1];
  return kib === undefined ? null : Number(kib) * 1024;
}
