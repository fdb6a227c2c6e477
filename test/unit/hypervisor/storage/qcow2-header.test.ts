import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readQcow2Header } from "../../../../src/hypervisor/storage/qcow2-header.ts";
import { qcow2 } from "./qcow2.ts";

/** The first bytes of an image that QEMU 10.0.2 made as a snapshot of /tmp/w/base.img. */
const fromQemu = Buffer.concat([
  Buffer.from(
    [
      ...["514649fb00000003", "0000000000000090", "0000000f00000010", "0000000000100000"],
      ...["0000000000000001", "0000000000030000", "0000000000010000", "0000000100000000"],
      ...["0000000000000000", "0000000000000000", "0000000000000000", "0000000000000000"],
      ...["0000000400000070", "0000000000000000", "e2792aca00000003", "7261770000000000"],
      ...["0000000000000000", "0000000000000000"],
    ].join(""),
    "hex",
  ),
  Buffer.from("/tmp/w/base.img"),
]);

describe("the header of a QCOW2 image", () => {
  it("is read as QEMU writes it", () => {
    expect(readQcow2Header(fromQemu)).toEqual({
      ...{ backingFile: "/tmp/w/base.img", backingFormat: "raw", dataFile: null },
    });
  });

  it("names what it lies on, its format and its data file", () => {
    const names = { backingFile: "base.qcow2", backingFormat: "qcow2", dataFile: "data.raw" };
    expect(readQcow2Header(qcow2(names))).toEqual(names);
    const none = { backingFile: null, backingFormat: null, dataFile: null };
    expect(readQcow2Header(qcow2(none))).toEqual(none);
  });

  it.each([
    ["another file", Buffer.from("MZ".repeat(100)), /not a QCOW2 image/],
    ["a version of the future", versioned(4), /version 4/],
    ["a name out of place", renamed(1n << 40n), /out of place/],
    [
      "a cut header",
      qcow2({ backingFile: null, backingFormat: null, dataFile: null }).subarray(0, 80),
      /cut/,
    ],
  ])("is refused: %s", (_, bytes, message) => {
    expect(() => readQcow2Header(bytes)).toThrow(message);
  });

  it("gives names no longer than 1023 bytes, or an Error, for any bytes", () => {
    const start = fc.uint8Array({ minLength: 0, maxLength: 300 });
    fc.assert(
      fc.property(start, fc.boolean(), (random, hasMagic) => {
        const bytes = Buffer.from(random);
        if (hasMagic && bytes.length >= 8) bytes.set([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3]);
        try {
          const { backingFile, backingFormat, dataFile } = readQcow2Header(bytes);
          for (const name of [backingFile, backingFormat, dataFile]) {
            expect(name?.length ?? 0).toBeLessThanOrEqual(1_023);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          expect((error as Error).name).toBe("Error");
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

function versioned(version: number): Buffer {
  const bytes = Buffer.from(fromQemu);
  bytes.writeUInt32BE(version, 4);
  return bytes;
}

function renamed(offset: bigint): Buffer {
  const bytes = Buffer.from(fromQemu);
  bytes.writeBigUInt64BE(offset, 8);
  return bytes;
}
