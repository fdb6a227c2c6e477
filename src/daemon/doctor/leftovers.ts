import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type GuestRecord, guestRecordSchema } from "../../migrator/records.ts";
import { counted } from "../../platform/counted.ts";
import { isOurInterface } from "../../platform/names.ts";
import type { DoctorCheck } from "../services.ts";
import { ok, skipped, type Topic, warn } from "./check.ts";
import type { Interface } from "./host/interfaces.ts";

const leftovers: Topic = {
  id: "leftovers",
  why: "Devices of ours that belong to no guest are what a crash left behind; they may catch packets.",
};

/** What the records in the state folder tell; null when one of them cannot be read. */
export async function readGuestRecords(stateFolder: string): Promise<GuestRecord[] | null> {
  const folder = join(stateFolder, "guests");
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  const records: GuestRecord[] = [];
  for (const name of names.filter((file) => file.endsWith(".json"))) {
    try {
      const text = await readFile(join(folder, name), "utf8");
      records.push(guestRecordSchema.parse(JSON.parse(text)));
    } catch {
      return null;
    }
  }
  return records;
}

/** Devices with names of ours on a host that no guest concerns. A daemon that runs removes them by itself. */
export function checkLeftovers(
  interfaces: readonly Interface[],
  records: readonly GuestRecord[] | null,
): DoctorCheck {
  if (records === null) return skipped(leftovers, "a guest's record cannot be read");
  const ours = interfaces.filter(({ name }) => isOurInterface(name)).map(({ name }) => name);
  if (records.length > 0)
    return ok(
      leftovers,
      `${counted(ours.length, "device")} for ${counted(records.length, "guest")}`,
    );
  if (ours.length === 0) return ok(leftovers, "none");
  return warn(leftovers, `${ours.join(", ")} belong to no guest`, {
    mend: "systemctl restart sojourn",
    hint: "a daemon that starts removes what no guest needs; guests go on meanwhile",
  });
}
