import { close, fdatasync, open, write } from "node:fs";
import { mkdtemp, rm, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { readJournal } from "../../../migrator/journal-file.ts";
import type { DecodedJournal } from "../../../migrator/journal-format.ts";
import { monotonicMs } from "../../../platform/clock.ts";
import { counted } from "../../../platform/counted.ts";
import { hasCode } from "../../../platform/errors.ts";
import { diskStorage } from "../../../platform/storage.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic, warn } from "../check.ts";

const space: Topic = {
  id: "state-space",
  why: "A promise that cannot be written is not made: with a full disk no guest leaves or arrives.",
};

const latency: Topic = {
  id: "state-latency",
  why: "The promise is on disk before the guest goes over, so each write adds to the time that it stands still.",
};

const enoughBytes = 64 * 1024 * 1024;
const samples = 12;
const slowMs = 20;

/**
 * The folder of promises: there, writable, with room, and how long a write takes until it is on the disk.
 * @param isMoving a guest's promise may be written just now, which no measurement is to delay.
 */
export async function checkStateFolder(folder: string, isMoving = false): Promise<DoctorCheck[]> {
  const topic: Topic = {
    id: "state-folder",
    why: "What decides about guests is kept in it; nothing of it may be lost or readable by others.",
  };
  const found = await stat(folder).catch(() => null);
  const mend = `install -d -m 700 ${folder}`;
  if (found === null) {
    return [warn(topic, `${folder} does not exist yet; the daemon makes it`, { mend })];
  }
  if (!found.isDirectory()) return [fail(topic, `${folder} is no folder`, { hint: "remove it" })];
  if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8);
    return [fail(topic, `${folder} has mode ${mode}`, { mend: `chmod 700 ${folder}` })];
  }
  const { bavail, bsize, ffree, files } = await statfs(folder);
  return [
    ok(topic, folder),
    judgeSpace(folder, bavail * bsize, files === 0 ? 1 : ffree / files),
    isMoving ? skipped(latency, "a guest is moving") : judgeLatency(await syncTimes(folder)),
  ];
}

/** The verdict on the free bytes and the part of all inodes that is free. Pure. */
export function judgeSpace(folder: string, freeBytes: number, freeInodes: number): DoctorCheck {
  const detail = `${Math.floor(freeBytes / 1048576)} MiB free`;
  const remedy = { mend: `df -h ${folder} && du -xhd1 ${folder}`, hint: "make room on its disk" };
  if (freeBytes < enoughBytes) return fail(space, detail, remedy);
  if (freeInodes < 0.02) return warn(space, `${detail}, but hardly any inodes`, remedy);
  return ok(space, detail);
}

/** The verdict on times in ms from a write until it is on the disk. Pure. */
export function judgeLatency(timesMs: readonly number[]): DoctorCheck {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const [median = 0, longest = 0] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  const detail = `${median.toFixed(2)} ms until on disk (median of ${sorted.length}; longest ${longest.toFixed(1)})`;
  if (median < slowMs) return ok(latency, detail);
  const hint = "put the state folder on a faster disk ([paths] state); never switch its fsync off";
  return warn(latency, detail, { hint });
}

/** Times small appends as the journal makes them, in a file of its own that is removed. */
async function syncTimes(folder: string): Promise<number[]> {
  const scratch = await mkdtemp(join(folder, ".doctor-"));
  try {
    const file = await promisify(open)(join(scratch, "latency"), "a", 0o600);
    const times: number[] = [];
    try {
      for (let sample = 0; sample < samples; sample += 1) {
        const begun = monotonicMs();
        await promisify(write)(file, Buffer.alloc(200));
        await promisify(fdatasync)(file);
        times.push(monotonicMs() - begun);
      }
    } finally {
      await promisify(close)(file);
    }
    return times;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

const journal: Topic = {
  id: "journal",
  why: "It holds what this host has promised about guests; where it is damaged, nothing is decided automatically.",
};

/** Whether the journal can be read to its end. */
export function checkJournal(path: string): DoctorCheck {
  try {
    return judgeJournal(path, readJournal(path, diskStorage));
  } catch (error) {
    if (hasCode(error, "SOJ_JOURNAL_MISSING")) {
      return skipped(journal, "there is none yet: no daemon has run here");
    }
    throw error;
  }
}

/** The verdict on a journal that was read. Pure. */
export function judgeJournal(
  path: string,
  { records, damage, tornBytes }: DecodedJournal,
): DoctorCheck {
  const [worst] = damage;
  if (worst !== undefined) {
    const where = `${worst.reason.replaceAll("-", " ")} at byte ${worst.atByte}`;
    return fail(journal, `${damage.length} damaged places, the first: ${where}`, {
      mend: `sojourn journal show --file ${path}`,
      hint: "find out where the guests that it names run, then: sojourn resolve ID --keep source|destination",
    });
  }
  const torn =
    tornBytes > 0 ? `; ${tornBytes} bytes that a crash tore are cut off at the next start` : "";
  return ok(journal, `${counted(records.length, "record")}${torn}`);
}

const history: Topic = {
  id: "history",
  why: "Past migrations and their reports are kept in it; it only informs.",
};

/** Whether earlier histories were damaged and moved aside. The daemon itself checks the one in use when it opens it. */
export function checkHistory(folder: string): DoctorCheck {
  const names = diskStorage.list(folder);
  const aside = names.filter((name) => /^history\.sqlite\.damaged-\d+$/.test(name));
  if (aside.length > 0) {
    const hint = "the disk may be failing; remove the files once they are of no use";
    const mend = aside.slice(0, 5).map((name) => `rm ${join(folder, name)}*`);
    return warn(history, `was damaged ${counted(aside.length, "time")} and moved aside`, {
      hint,
      mend,
    });
  }
  if (!names.includes("history.sqlite")) return skipped(history, "there is none yet");
  return ok(history, "in use, none was ever moved aside");
}
