import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decodeJournal,
  encodeRecord,
  journalHeader,
} from "../../../src/migrator/journal-format.ts";
import { type JournalRecord, unfinishedMigrations } from "../../../src/migrator/journal-record.ts";
import { crc32c } from "../../../src/platform/crc32c.ts";

const record: fc.Arbitrary<JournalRecord> = fc.record({
  step: fc.constantFrom("begin", "promise", "takeover", "abort"),
  migration: fc.string(),
  guest: fc.string({ unit: "grapheme" }),
  epoch: fc.nat(),
  role: fc.constantFrom("source", "destination"),
  at: fc.string(),
});
const records = fc.array(record, { minLength: 1, maxLength: 5 });

/** The file of these records and where each of them ends. */
function fileOf(all: readonly JournalRecord[]): { bytes: Buffer; ends: number[] } {
  const parts = [journalHeader, ...all.map(encodeRecord)];
  let end = 0;
  const ends = parts.map((part) => {
    end += part.length;
    return end;
  });
  return { bytes: Buffer.concat(parts), ends };
}

test("the checksum is CRC-32C", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
});

test("cut at any byte, the whole records are there and nothing is called damage", () => {
  fc.assert(
    fc.property(records, (all) => {
      const { bytes, ends } = fileOf(all);
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const decoded = decodeJournal(bytes.subarray(0, cut));
        const whole = ends.filter((end) => end <= cut);
        expect(decoded).toEqual({
          records: all.slice(0, Math.max(0, whole.length - 1)),
          keptBytes: whole.at(-1) ?? 0,
          tornBytes: cut - (whole.at(-1) ?? 0),
          damage: [],
        });
      }
    }),
    { numRuns: 30 },
  );
});

test("with any bit flipped, no record is wrong and no other one is lost", () => {
  fc.assert(
    fc.property(records, (all) => {
      const { bytes, ends } = fileOf(all);
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        const decoded = decodeJournal(flipped);
        const hit = ends.findIndex((end) => bit >> 3 < end);
        const isHeader = hit === 0;
        expect(decoded.records).toEqual(isHeader ? [] : all.toSpliced(hit - 1, 1));
        expect(decoded.damage.length > 0 || decoded.tornBytes > 0).toBe(true);
        const isLast = hit === all.length;
        if (!isLast) expect(decoded).toMatchObject({ tornBytes: 0, keptBytes: bytes.length });
      }
    }),
    { numRuns: 15 },
  );
});

test("any bytes at all give records or damage, never an exception", () => {
  const tail = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(new Uint8Array(4096)));
  fc.assert(
    fc.property(fc.array(record, { maxLength: 3 }), tail, (all, noise) => {
      const bytes = Buffer.concat([fileOf(all).bytes, noise]);
      expect(decodeJournal(bytes).records).toEqual(all);
      decodeJournal(Buffer.from(noise));
    }),
  );
});

test("a page of zeros behind the records is a torn write; more than one record can be is damage", () => {
  const { bytes } = fileOf([]);
  const torn = decodeJournal(Buffer.concat([bytes, Buffer.alloc(4096)]));
  expect(torn).toMatchObject({ keptBytes: 8, tornBytes: 4096, damage: [] });
  const damaged = decodeJournal(Buffer.concat([bytes, Buffer.alloc(100_000)]));
  expect(damaged).toMatchObject({ tornBytes: 0, damage: [{ atByte: 8, lengthBytes: 100_000 }] });
});

test("a record of a step that is not known is damage even at the end: it is never cut off", () => {
  const text = Buffer.from('{"step":"teleported"}');
  const prefix = Buffer.alloc(8);
  prefix.writeUInt32LE(text.length, 0);
  prefix.writeUInt32LE(crc32c(text), 4);
  const decoded = decodeJournal(Buffer.concat([journalHeader, prefix, text]));
  expect(decoded).toMatchObject({ tornBytes: 0, damage: [{ reason: "damaged-record" }] });
});

test("migrations without an end are unfinished, unless an operator has decided about their guest", () => {
  const at = "";
  const one = { migration: "m1", guest: "web1", epoch: 1, role: "source", at } as const;
  const other = { ...one, migration: "m2", guest: "web2", role: "destination" } as const;
  const written: JournalRecord[] = [
    { ...one, step: "promise" },
    { ...other, step: "prepared" },
    { ...other, step: "abort" },
  ];
  const unfinished = (...more: JournalRecord[]) =>
    unfinishedMigrations([...written, ...more]).map(({ migration }) => migration);
  expect(unfinished()).toEqual(["m1"]);
  expect(unfinished({ ...one, step: "completed" })).toEqual([]);
  const another: JournalRecord = { ...one, migration: "m3", step: "begin" };
  expect(unfinished(another)).toEqual(["m1", "m3"]);
  expect(unfinished(another, { ...one, step: "resolved-source" })).toEqual([]);
  const told: JournalRecord[] = [
    { ...one, step: "resolved-source" },
    { ...one, step: "destination-told" },
  ];
  expect(unfinished(...told)).toEqual([]);
  expect(unfinished(...told, another)).toEqual(["m3"]);
});
