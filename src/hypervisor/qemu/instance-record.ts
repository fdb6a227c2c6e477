import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { z } from "zod";
import { namePattern } from "../../platform/names.ts";
import {
  commandLineDigest,
  findProcessByArgument,
  hasArgument,
  identifyProcess,
  type ProcessIdentity,
} from "../../platform/process-identity.ts";
import { guestDefinitionSchema } from "../definition.ts";
import { guestFolder, type InstancePaths, instancePaths, isInstanceId } from "./instance-paths.ts";

const recordSchema = z.strictObject({
  version: z.literal(1),
  instance_id: z.string().refine(isInstanceId),
  /** Null from before the process is started until its number is known. */
  process: z.strictObject({ pid: z.int().positive(), start_ticks: z.int().min(0) }).nullable(),
  definition: guestDefinitionSchema,
  taps: z.array(z.string()),
  incoming: z.boolean(),
  /** Of a process that somebody else started: what it is known by. Absent for those that Sojourn started. */
  adopted: z
    .strictObject({
      /** Its QMP socket. */
      monitor: z.string().max(4096).startsWith("/"),
      /** QEMU's own name for it; null without one. */
      name: z.string().max(4096).nullable(),
      command_line_digest: z.string().regex(/^[0-9a-f]{64}$/),
    })
    .optional(),
});

/** What is written down about a process so that a later daemon finds it. */
export type InstanceRecord = z.output<typeof recordSchema>;

export interface StoredRecord {
  record: InstanceRecord;
  paths: InstancePaths;
}

/** Replaces the record; it is on the disk when this resolves. */
export async function writeRecord(paths: InstancePaths, record: InstanceRecord): Promise<void> {
  const draft = `${paths.record}.new`;
  const file = await open(draft, "w", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(record)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, paths.record);
}

/** All records under the run folder; `onDamaged` hears of those that cannot be read. */
export async function readRecords(
  runDir: string,
  onDamaged: (path: string, error: unknown) => void,
): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  for (const guest of await entries(`${runDir}/guests`)) {
    if (!namePattern.test(guest)) continue;
    for (const instanceId of (await entries(guestFolder(runDir, guest))).filter(isInstanceId)) {
      const paths = instancePaths(runDir, guest, instanceId);
      try {
        const record = recordSchema.parse(JSON.parse(await readFile(paths.record, "utf8")));
        found.push({ record, paths });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") onDamaged(paths.record, error);
      }
    }
  }
  return found;
}

/** The live process that a record stands for; null when it has ended or its number was given to another. */
export function findRecordedProcess({ record, paths }: StoredRecord): ProcessIdentity | null {
  if (record.process === null) return findProcessByArgument(paths.pidFile);
  const { pid, start_ticks: startTicks } = record.process;
  const isSame = identifyProcess(pid)?.startTicks === startTicks;
  return isSame && isMeant(pid, { record, paths }) ? { pid, startTicks } : null;
}

/** After a reboot the number, and even the time of its start, may be another process's. */
function isMeant(pid: number, { record, paths }: StoredRecord): boolean {
  if (record.adopted === undefined) return hasArgument(pid, paths.pidFile);
  return commandLineDigest(pid) === record.adopted.command_line_digest;
}

/** Takes the record away; console and log stay for whoever wants to know why the guest ended. */
export async function forgetRecord(paths: InstancePaths): Promise<void> {
  for (const path of [paths.record, paths.monitor, paths.pidFile]) await rm(path, { force: true });
}

/** Removes the folders of a guest's ended processes except the `keep` latest. */
export async function pruneEnded(runDir: string, guest: string, keep: number): Promise<void> {
  const ended: { folder: string; changedMs: number }[] = [];
  for (const instanceId of (await entries(guestFolder(runDir, guest))).filter(isInstanceId)) {
    const paths = instancePaths(runDir, guest, instanceId);
    if (await exists(paths.record)) continue;
    const status = await stat(paths.folder).catch(() => null);
    if (status !== null) ended.push({ folder: paths.folder, changedMs: status.mtimeMs });
  }
  ended.sort((one, other) => other.changedMs - one.changedMs);
  for (const { folder } of ended.slice(keep)) await rm(folder, { recursive: true, force: true });
}

async function entries(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}
