import { XdrError } from "@stellar/js-xdr";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lifecycleEvent } from "../../../src/hypervisor/libvirt/rpc/events/domain-events.ts";
import { migrationParameters } from "../../../src/hypervisor/libvirt/rpc/migration-parameters.ts";
import { callHeader, encodePacket } from "../../../src/hypervisor/libvirt/rpc/packet.ts";
import {
  authList,
  connectListAllDomains,
  connectOpen,
  nodeGetInfo,
} from "../../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import { domainMigrateBegin } from "../../../src/hypervisor/libvirt/rpc/procedures/migration.ts";
import { domain } from "../../../src/hypervisor/libvirt/rpc/xdr/domain.ts";
import { shownText, text } from "../../../src/hypervisor/libvirt/rpc/xdr/text.ts";
import {
  parameter,
  parameterValues,
  typedParameters,
} from "../../../src/hypervisor/libvirt/rpc/xdr/typed-parameter.ts";
import { uuid } from "../../../src/hypervisor/libvirt/rpc/xdr/uuid.ts";
import {
  decodeWireError,
  encodeWireError,
} from "../../../src/hypervisor/libvirt/rpc/xdr/wire-error.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const words = fc.string({ unit: "grapheme" }).filter((word) => !word.includes("\0"));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const domains = fc.record({ name: words, uuid: fc.uuid(), id: int32 });
const parameters = fc.array(
  fc.oneof(
    fc.tuple(words, int32).map(([name, value]) => parameter.int(name, value)),
    fc.tuple(words, uint32).map(([name, value]) => parameter.uint(name, value)),
    fc.tuple(words, int64).map(([name, value]) => parameter.llong(name, value)),
    fc.tuple(words, uint64).map(([name, value]) => parameter.ullong(name, value)),
    fc
      .tuple(words, fc.double({ noNaN: true }))
      .map(([name, value]) => parameter.double(name, value)),
    fc.tuple(words, fc.boolean()).map(([name, value]) => parameter.boolean(name, value)),
    fc.tuple(words, words).map(([name, value]) => parameter.string(name, value)),
  ),
  { maxLength: 64 },
);

test("a call without arguments is its header alone", () => {
  const { program, number, arguments: args } = authList;
  const packet = encodePacket(callHeader(program, number, 7), args.encode({}));
  expect(hex(packet)).toBe("0000001c200080860000000100000042000000000000000700000000");
});

test("strings are counted, padded and optional", () => {
  expect(hex(connectOpen.arguments.encode({ name: "qemu:///system", flags: 0 }))).toBe(
    "000000010000000e71656d753a2f2f2f73797374656d000000000000",
  );
  expect(hex(connectOpen.arguments.encode({ name: null, flags: 1 }))).toBe("0000000000000001");
});

test("a char array takes four bytes a character", () => {
  const codes = [..."x86_64"].map((letter) => letter.charCodeAt(0));
  const model = Buffer.alloc(128);
  for (const [index, code] of codes.entries()) model.writeInt32BE(code, index * 4);
  const rest = Buffer.from(
    "0000000000f000000000000200000bb800000001000000010000000200000001",
    "hex",
  );
  expect(nodeGetInfo.reply.decode(Buffer.concat([model, rest]))).toEqual({
    model: "x86_64",
    memoryKib: 0xf0_0000n,
    cpus: 2,
    mhz: 3000,
    nodes: 1,
    sockets: 1,
    cores: 2,
    threads: 1,
  });
});

test("migration parameters have libvirt's names and types", () => {
  const chosen = { uri: "tcp://10.0.0.2:49152", bandwidthMibps: 100, disks: ["vda", "vdb"] };
  expect(migrationParameters(chosen)).toEqual([
    parameter.string("migrate_uri", "tcp://10.0.0.2:49152"),
    parameter.ullong("bandwidth", 100n),
    parameter.string("migrate_disks", "vda"),
    parameter.string("migrate_disks", "vdb"),
  ]);
  expect(migrationParameters({})).toEqual([]);
});

test("any domain, parameter, event and error comes back as it went", () => {
  fc.assert(
    fc.property(domains, parameters, int32, int32, words, (one, some, event, detail, reason) => {
      expect(domain.decode(domain.encode(one))).toEqual(one);
      expect(typedParameters.decode(typedParameters.encode(some))).toEqual(some);
      const message = { callbackId: 3, domain: one, event, detail };
      expect(lifecycleEvent.message.decode(lifecycleEvent.message.encode(message))).toEqual(
        message,
      );
      const facts = { code: event, domain: detail, level: 2, description: reason };
      expect(decodeWireError(encodeWireError(facts))).toEqual(facts);
      const args = { domain: one, parameters: some, flags: 1 };
      const { arguments: begin } = domainMigrateBegin;
      expect(begin.decode(begin.encode(args))).toEqual(args);
    }),
  );
});

test("parameters by name: numbers, bigints, truth and text", () => {
  const values = parameterValues([
    parameter.int("i", -1),
    parameter.ullong("u", 2n ** 63n),
    parameter.boolean("b", true),
    parameter.string("s", "x"),
    parameter.string("__proto__", "y"),
  ]);
  expect([...values]).toEqual([
    ["i", -1],
    ["u", 2n ** 63n],
    ["b", true],
    ["s", "x"],
    ["__proto__", "y"],
  ]);
});

test("text that would not arrive as it is does not leave", () => {
  for (const bad of ["a\0b", "\ud800", "x".repeat(11)]) {
    expect(() => text(10).encode(bad)).toThrow(XdrError);
  }
  expect(() => uuid().encode("no-uuid")).toThrow(XdrError);
  expect(() => typedParameters.encode(Array(65).fill(parameter.int("a", 1)))).toThrow(XdrError);
});

test("bytes that are no UTF-8 are refused in names and shown in words", () => {
  const bytes = Buffer.from("00000002c3280000", "hex");
  expect(() => text().decode(bytes)).toThrow(/not UTF-8/);
  expect(shownText().decode(bytes)).toBe("\ufffd(");
});

test("whatever bytes a list is read from, it is read whole or refused, without a large array", () => {
  const list = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(uint32, fc.uint8Array({ maxLength: 100 })).map(([count, rest]) => {
      const head = Buffer.alloc(4);
      head.writeUInt32BE(count);
      return Buffer.concat([head, rest]);
    }),
  );
  fc.assert(
    fc.property(list, (bytes) => {
      for (const type of [connectListAllDomains.reply, typedParameters, lifecycleEvent.message]) {
        try {
          const value = type.decode(bytes);
          expect(hex(type.encode(value as never))).toBe(hex(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(XdrError);
          expect((error as Error).message.length).toBeLessThan(300);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
