import { cpus } from "node:os";
import { z } from "zod";
import type { MaintenanceState } from "../../migrator/maintenance.ts";
import { definePeerProcedures } from "../../platform/procedures.ts";
import { readMemory } from "../inventory/local-host.ts";
import { type GuestPlaces, guestsHere } from "./guests-here.ts";

const bytes = z.number().nonnegative();
const guest = z.object({ guest: z.string().max(63), memory_mib: z.int().nonnegative() });

/** What of a host is free for guests, as it is now. */
export const capacitySchema = z.object({
  host: z.string().max(63),
  maintenance: z.boolean().describe("No guest may arrive"),
  cpus: z.int().nonnegative(),
  memory_total_bytes: bytes,
  memory_available_bytes: bytes.describe(
    "What can be had without swapping (MemAvailable, proc(5))",
  ),
  running: z.array(guest).max(4_096).describe("Guests that run there, as they are defined"),
  arriving: z
    .array(guest)
    .max(4_096)
    .describe("Guests on their way: the memory that they are going to take is not yet taken"),
});

export type Capacity = z.output<typeof capacitySchema>;

/** Optional: a host of an earlier release does not know it. */
export const capacityProcedures = definePeerProcedures({
  capacity: { request: z.strictObject({}), response: capacitySchema, timeoutMs: 5_000 },
});

/** What of this host is free; looked at when it is asked for. */
export async function ownCapacity(
  host: string,
  maintenance: MaintenanceState,
  places: GuestPlaces,
): Promise<Capacity> {
  const { totalBytes, availableBytes } = await readMemory();
  const { running, arriving } = guestsHere(host, places);
  const sized = (names: readonly { guest: string; definition: { memory_mib: number } }[]) =>
    names
      .slice(0, 4_096)
      .map(({ guest, definition }) => ({ guest, memory_mib: definition.memory_mib }));
  return {
    host,
    maintenance: maintenance.isOn,
    cpus: cpus().length,
    memory_total_bytes: totalBytes,
    memory_available_bytes: availableBytes,
    running: sized(running),
    arriving: sized(arriving),
  };
}
