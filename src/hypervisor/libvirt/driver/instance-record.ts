import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { z } from "zod";
import { makeFolder, namesIn, readIfThere, replaceFileDurably } from "../../../platform/files.ts";
import { namePattern } from "../../../platform/names.ts";
import { guestDefinitionSchema } from "../../definition.ts";

const recordSchema = z.strictObject({
  version: z.literal(1),
  instance_id: z.string().regex(/^[0-9a-f]{8}$/),
  definition: guestDefinitionSchema,
  /** The domain's own, which need not be the guest's. */
  domain_name: z.string().min(1).max(255),
  uuid: z.guid(),
  taps: z.array(z.string()),
  /** File that receives its serial console; empty without one. */
  console: z.string(),
  /** It came by a stream. */
  incoming: z.boolean(),
  /** The stream that it came by is at its end. */
  arrived: z.boolean(),
});

/** What is written down of a domain that is a guest here, so that a later daemon knows it for one. */
export type InstanceRecord = z.output<typeof recordSchema>;

export function newInstanceId(): string {
  return randomBytes(4).toString("hex");
}

/** Replaces the guest's record; it is on the disk when this resolves. */
export async function writeRecord(runDir: string, record: InstanceRecord): Promise<void> {
  await makeFolder(folderOf(runDir));
  replaceFileDurably(pathOf(runDir, record.definition.name), `${JSON.stringify(record)}\n`);
}

/** All records; `onDamaged` hears of those that cannot be read. */
export async function readRecords(
  runDir: string,
  onDamaged: (path: string, error: unknown) => void,
): Promise<InstanceRecord[]> {
  const found: InstanceRecord[] = [];
  for (const file of namesIn(folderOf(runDir))) {
    const guest = /^(.*)\.json$/.exec(file)?.[1] ?? "";
    if (!namePattern.test(guest)) continue;
    try {
      const text = await readIfThere(pathOf(runDir, guest));
      if (text === null) continue;
      const record = recordSchema.parse(JSON.parse(text));
      if (record.definition.name !== guest) throw new Error(`it is of ${record.definition.name}`);
      found.push(record);
    } catch (error) {
      onDamaged(pathOf(runDir, guest), error);
    }
  }
  return found;
}

export async function removeRecord(runDir: string, guest: string): Promise<void> {
  await rm(pathOf(runDir, guest), { force: true });
}

function folderOf(runDir: string): string {
  return `${runDir}/libvirt`;
}

function pathOf(runDir: string, guest: string): string {
  return `${folderOf(runDir)}/${guest}.json`;
}
