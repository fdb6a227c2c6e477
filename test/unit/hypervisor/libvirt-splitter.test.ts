import fc from "fast-check";
import { expect, test } from "vitest";
import { libvirtProtocolError } from "../../../src/hypervisor/libvirt/rpc/errors.ts";
import { longestPacketBytes } from "../../../src/hypervisor/libvirt/rpc/limits.ts";
import {
  callHeader,
  encodePacket,
  headerBytes,
} from "../../../src/hypervisor/libvirt/rpc/packet.ts";
import { PacketSplitter } from "../../../src/hypervisor/libvirt/rpc/packet-splitter.ts";

const header = callHeader(0x2000_8086, 318, 5);

test("packets come out as they went in, in whatever pieces", () => {
  const packets = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(packets, fc.array(fc.integer({ min: 1, max: 400 })), (payloads, cuts) => {
      const splitter = new PacketSplitter(() => {});
      const taken: Buffer[] = [];
      let rest = Buffer.concat(payloads.map((payload) => encodePacket(header, payload)));
      for (const cut of [...cuts, rest.length]) {
        for (const packet of splitter.push(rest.subarray(0, cut))) {
          expect(packet.header).toEqual(header);
          taken.push(packet.payload);
        }
        rest = rest.subarray(cut);
      }
      expect(taken.map((payload) => [...payload])).toEqual(payloads.map((one) => [...one]));
      expect(splitter.heldBytes).toBe(0);
    }),
  );
});

test.each([0, 1, headerBytes - 1, longestPacketBytes + 1, 0x7fff_ffff, 0xffff_ffff])(
  "a packet cannot be %d bytes long",
  (length) => {
    const bytes = encodePacket(header, new Uint8Array(0));
    bytes.writeUInt32BE(length);
    const splitter = new PacketSplitter(() => {});
    expect(() => [...splitter.push(bytes)]).toThrow(
      expect.objectContaining({ code: "SOJ_LIBVIRT_PROTOCOL" }),
    );
    expect(splitter.reservedBytes).toBeLessThanOrEqual(headerBytes);
  },
);

test("a length that is claimed reserves nothing before the bytes come", () => {
  const bytes = encodePacket(header, new Uint8Array(0));
  bytes.writeUInt32BE(longestPacketBytes);
  const splitter = new PacketSplitter(() => {});
  expect([...splitter.push(bytes)]).toEqual([]);
  for (let sentBytes = headerBytes; sentBytes < 100_000; sentBytes += 1000) {
    expect([...splitter.push(Buffer.alloc(1000))]).toEqual([]);
    expect(splitter.reservedBytes).toBeLessThanOrEqual(2 * splitter.heldBytes);
  }
});

test("a header that is refused keeps its payload from being read", () => {
  const splitter = new PacketSplitter((_, payloadBytes) => {
    throw libvirtProtocolError(`something of ${payloadBytes} bytes`);
  });
  const bytes = encodePacket(header, Buffer.alloc(5000));
  expect(() => [...splitter.push(bytes)]).toThrow("something of 5000 bytes");
  expect(splitter.heldBytes).toBe(headerBytes);
});

test("a stream of any bytes is packets or refused, and never held beyond what came", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 20 }), (chunks) => {
      const splitter = new PacketSplitter(() => {}, 256);
      try {
        for (const chunk of chunks) for (const _ of splitter.push(Buffer.from(chunk)));
      } catch (error) {
        expect(error).toMatchObject({ code: "SOJ_LIBVIRT_PROTOCOL" });
      }
      expect(splitter.heldBytes).toBeLessThanOrEqual(256);
    }),
    { numRuns: 500 },
  );
});
