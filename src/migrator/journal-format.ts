import { crc32c } from "../platform/crc32c.ts";
import { preconditionError } from "../platform/errors.ts";
import { type JournalRecord, parseRecord } from "./journal-record.ts";

/** Version of the file's form, the last byte of its header. */
const journalVersion = 1;

const magic = Buffer.from("SOJOURN");

/** What a journal begins with: 7 bytes that name it, and its version. */
export const journalHeader: Buffer = Buffer.concat([magic, Buffer.of(journalVersion)]);

/** Before each record's JSON text: its length and its CRC-32C, both 32 bits, little-endian. */
const prefixBytes = 8;

/** Longest JSON text of a record, in bytes. */
const longestRecordBytes = 64 * 1024;

/** A part of a journal that is no record any more, or the whole of one that is not understood. */
export interface JournalDamage {
  reason: "damaged-record" | "not-a-journal" | "unknown-version";
  atByte: number;
  lengthBytes: number;
}

export interface DecodedJournal {
  records: JournalRecord[];
  /** Bytes up to the end of what is kept; what follows is a record that was not written to its end. */
  keptBytes: number;
  tornBytes: number;
  damage: JournalDamage[];
}

/** @throws SojournError `SOJ_JOURNAL_RECORD` for one that is longer than `longestRecordBytes`. */
export function encodeRecord(record: JournalRecord): Buffer {
  const text = Buffer.from(JSON.stringify(record));
  if (text.length > longestRecordBytes) {
    throw preconditionError("SOJ_JOURNAL_RECORD", `a record of ${text.length} bytes is too long`);
  }
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32LE(text.length, 0);
  prefix.writeUInt32LE(crc32c(text), 4);
  return Buffer.concat([prefix, text]);
}

/**
 * Reads a journal's bytes. Never throws: a record that a crash has torn can only be the last one and is left out;
 * anything else that is wrong is damage, behind which the next whole record is looked for.
 */
export function decodeJournal(bytes: Buffer): DecodedJournal {
  const decoded: DecodedJournal = { records: [], keptBytes: 0, tornBytes: 0, damage: [] };
  const header = bytes.subarray(0, journalHeader.length);
  if (header.length < journalHeader.length && journalHeader.indexOf(header) === 0) {
    return { ...decoded, tornBytes: header.length };
  }
  if (!header.equals(journalHeader)) {
    const known = header.subarray(0, magic.length).equals(magic);
    const reason = known ? "unknown-version" : "not-a-journal";
    const damage = [{ reason, atByte: 0, lengthBytes: bytes.length } as const];
    return { ...decoded, keptBytes: bytes.length, damage };
  }
  let at = journalHeader.length;
  while (at < bytes.length) {
    const found = recordAt(bytes, at);
    if (found !== null) {
      decoded.records.push(found.record);
      at = found.end;
      continue;
    }
    const next = nextRecord(bytes, at);
    if (next === null && mayBeTorn(bytes, at)) {
      return { ...decoded, keptBytes: at, tornBytes: bytes.length - at };
    }
    const end = next ?? bytes.length;
    decoded.damage.push({ reason: "damaged-record", atByte: at, lengthBytes: end - at });
    at = end;
  }
  return { ...decoded, keptBytes: bytes.length };
}

/** A whole record that begins at `at`. */
function recordAt(bytes: Buffer, at: number): { record: JournalRecord; end: number } | null {
  const text = checkedText(bytes, at);
  const record = text === null ? null : parseRecord(text.toString());
  return text === null || record === null ? null : { record, end: at + prefixBytes + text.length };
}

/** The text at `at`, if its checksum is right. */
function checkedText(bytes: Buffer, at: number): Buffer | null {
  if (at + prefixBytes > bytes.length) return null;
  const length = bytes.readUInt32LE(at);
  const end = at + prefixBytes + length;
  if (length === 0 || length > longestRecordBytes || end > bytes.length) return null;
  const text = bytes.subarray(at + prefixBytes, end);
  return crc32c(text) === bytes.readUInt32LE(at + 4) ? text : null;
}

/** Where the next whole record begins after a damaged one at `at`. */
function nextRecord(bytes: Buffer, at: number): number | null {
  for (let next = at + 1; next + prefixBytes < bytes.length; next += 1) {
    if (recordAt(bytes, next) !== null) return next;
  }
  return null;
}

/**
 * Whether what begins at `at`, with nothing whole behind it, can be the rest of one unfinished write. Not when its
 * checksum is right (a form that is not known), nor when it is said to end before the file does: the record behind
 * it was begun when this one was on disk.
 */
function mayBeTorn(bytes: Buffer, at: number): boolean {
  const rest = bytes.length - at;
  if (rest > prefixBytes + longestRecordBytes || checkedText(bytes, at) !== null) return false;
  if (rest < prefixBytes) return true;
  const length = bytes.readUInt32LE(at);
  const isLength = length > 0 && length <= longestRecordBytes;
  return !isLength || at + prefixBytes + length >= bytes.length;
}
