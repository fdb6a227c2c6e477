import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LineSplitter } from "../../../src/platform/line-splitter.ts";

const splitterOf = (limitBytes: number) =>
  new LineSplitter(limitBytes, (what) => new RangeError(what));

const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll(/[\r\n]/g, ""));

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let start = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(start, start + size));
    start += size;
  }
  return [...chunks, bytes.subarray(start)];
}

describe("LineSplitter", () => {
  test("gives the same lines however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, fc.constantFrom("\n", "\r\n"))),
        fc.array(fc.nat(40)),
        (lines, sizes) => {
          const splitter = splitterOf(10_000_000);
          const bytes = Buffer.from(lines.map(([text, end]) => text + end).join(""));
          const found = cut(bytes, sizes).flatMap((chunk) => splitter.push(chunk));
          expect(found).toEqual(lines.map(([text]) => text));
          expect(splitter.heldBytes).toBe(0);
        },
      ),
    );
  });

  test("never holds more than its limit, whatever arrives", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 })), (chunks) => {
        const splitter = splitterOf(64);
        for (const chunk of chunks) {
          try {
            splitter.push(Buffer.from(chunk));
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
          expect(splitter.heldBytes).toBeLessThanOrEqual(64);
        }
      }),
    );
  });

  test("a line of exactly the limit passes, one byte more does not", () => {
    expect(splitterOf(5).push(Buffer.from("12345\n"))).toEqual(["12345"]);
    expect(() => splitterOf(5).push(Buffer.from("123456"))).toThrow(/longer than 5 bytes/);
  });

  test("a line that arrives byte by byte costs one buffer", () => {
    const splitter = splitterOf(200_000);
    for (let index = 0; index < 200_000; index++) splitter.push(Buffer.from("x"));
    expect(splitter.push(Buffer.from("\n"))[0]).toHaveLength(200_000);
  });
});
