import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { GuestDefinition } from "../../../hypervisor/definition.ts";
import { qemuFacts } from "../../../hypervisor/qemu/qemu-facts.ts";
import { runCommand } from "../../../platform/command.ts";
import { asSojournError } from "../../../platform/errors.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic, warn } from "../check.ts";
import { filesOf, missingFiles } from "../files/guests.ts";
import type { DoctorPeer } from "./path.ts";

/** What a host finds of what a guest needs. */
export interface GuestRoom {
  missing_files: string[];
  available_mib: number;
  processors: number;
  has_machine: boolean | null;
}

/** Looks for a guest's files, memory and machine type on this host. */
export async function roomFor(guest: GuestDefinition): Promise<GuestRoom> {
  return {
    missing_files: await missingFiles(guest),
    available_mib: availableMib(await readFile("/proc/meminfo", "utf8")),
    processors: availableParallelism(),
    has_machine: await hasMachine(guest.machine),
  };
}

/** MemAvailable of proc_meminfo(5) in MiB; 0 when the text does not tell. Pure. */
export function availableMib(meminfo: string): number {
  return Math.floor(Number(/^MemAvailable:\s+(\d{1,15}) kB$/m.exec(meminfo)?.[1] ?? 0) / 1024);
}

async function hasMachine(machine: string): Promise<boolean | null> {
  try {
    const { binary } = await qemuFacts()();
    const { stdout } = await runCommand(binary, ["-machine", "help"]);
    return stdout.split("\n").some((line) => line.startsWith(`${machine} `));
  } catch {
    return null;
  }
}

/** Whether each guest would find at the peer what it needs. */
export async function checkGuestsThere(
  peer: DoctorPeer,
  guests: readonly GuestDefinition[],
): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [];
  for (const guest of guests) {
    const topic: Topic = {
      ...{ id: "peer-guest", subject: guest.name, name: `${guest.name} at ${peer.peer}` },
      why: "A guest can only go where its disks are seen under the same path, and where there is memory for it.",
    };
    try {
      const room = await peer.call("doctor-guest", { definition: guest });
      const files = new Set(filesOf(guest));
      const missing = room.missing_files.filter((path) => files.has(path));
      checks.push(judgeRoom(topic, peer.peer, guest, { ...room, missing_files: missing }));
    } catch (thrown) {
      const { code, message, hint } = asSojournError(thrown);
      const isOld = code === "SOJ_UNKNOWN_PROCEDURE";
      checks.push(isOld ? skipped(topic, message, hint) : fail(topic, message, { hint }));
    }
  }
  return checks;
}

/** Pure. */
export function judgeRoom(
  topic: Topic,
  host: string,
  guest: Pick<GuestDefinition, "memory_mib" | "vcpus" | "machine">,
  room: GuestRoom,
): DoctorCheck {
  if (room.missing_files.length > 0) {
    return fail(topic, `${host} cannot read ${room.missing_files.slice(0, 5).join(", ")}`, {
      hint: `mount the guest's storage under the same path on ${host}`,
      mend: room.missing_files.slice(0, 5).map((path) => `ls -l ${path}  # on ${host}`),
    });
  }
  if (room.has_machine === false) {
    const hint = "install the same QEMU on both hosts";
    return fail(topic, `${host}'s QEMU has no machine type ${guest.machine}`, { hint });
  }
  const detail = `${guest.memory_mib} MiB of ${room.available_mib} MiB available`;
  if (guest.memory_mib > room.available_mib) {
    const hint = `free memory on ${host}, or move other guests away`;
    return fail(topic, `needs ${detail}`, { hint, mend: `free -m  # on ${host}` });
  }
  if (guest.vcpus > room.processors) {
    const hint = "it will run, slower";
    return warn(topic, `has ${guest.vcpus} processors, ${host} has ${room.processors}`, { hint });
  }
  return ok(topic, detail);
}
