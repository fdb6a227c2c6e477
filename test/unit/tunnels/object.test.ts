import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SojournError } from "../../../src/platform/errors.ts";
import { patchObject } from "../../../src/tunnels/bpf/object.ts";

const object = readFileSync(new URL("../../../build/bpf/ipip.bpf.o", import.meta.url));
const config = {
  localAddress: "172.16.1.2",
  remoteAddress: "172.16.2.2",
  underlayIndex: 0x01020304,
  tunnelIndex: 5,
  tunnelMac: "52:54:00:ab:cd:ef",
};

test("one tunnel's constants, and nothing else, are written into the object", () => {
  const patched = patchObject(object, config);
  const expected = Buffer.from("ac100102ac1002020403020105000000525400abcdef0000", "hex");
  const at = patched.indexOf(expected);
  expect(at).toBeGreaterThan(0);
  const restored = Buffer.from(patched).fill(0, at, at + expected.length);
  expect(restored.equals(object)).toBe(true);
});

test("bytes that are no BPF object are refused with a typed error", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) => refusesOrPatches(bytes)));
  const header = object.subarray(0, 64);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), (bytes) =>
      refusesOrPatches(Buffer.concat([header, bytes])),
    ),
  );
});

test("a damaged or truncated object is patched within its bounds or refused", () => {
  const damage = fc.array(fc.tuple(fc.nat(object.length - 1), fc.nat(255)), { maxLength: 40 });
  // Most of the structure that is read lies in the header and in the tables at the end.
  const nearTables = fc.array(
    fc.tuple(
      fc.integer({ min: object.length - 2600, max: object.length - 1 }),
      fc.constantFrom(0, 255),
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(damage, nearTables, fc.nat(object.length), (anywhere, tables, length) => {
      const bytes = Buffer.from(object);
      for (const [at, value] of [...anywhere, ...tables]) bytes[at] = value;
      refusesOrPatches(bytes);
      refusesOrPatches(bytes.subarray(0, length));
    }),
    { numRuns: 300 },
  );
});

function refusesOrPatches(bytes: Uint8Array): void {
  try {
    expect(patchObject(bytes, config)).toHaveLength(bytes.length);
  } catch (error) {
    expect(error).toBeInstanceOf(SojournError);
    expect((error as SojournError).code).toBe("SOJ_TUNNEL_OBJECT");
  }
}
