import fc from "fast-check";
import { expect, test } from "vitest";
import { SojournError } from "../../../../src/platform/errors.ts";
import { decodeFlow } from "../../../../src/routing/flows/decode.ts";
import { encodeNewFlow } from "../../../../src/routing/flows/encode.ts";
import { guestFlow } from "../../../../src/routing/flows/guest-flow.ts";
import { cta } from "../../../../src/routing/flows/wire.ts";
import {
  nestedAttribute,
  networkNumberAttribute,
  networkShortAttribute,
} from "../../../../src/routing/netlink/attributes.ts";
import { anyGuestFlow, guestFlowOf } from "../../../support/guest-flows.ts";

const guest = "10.1.0.10";
/** The kernel adds it. */
const id = networkNumberAttribute(cta.id, 4_136_823_441);

test("what is told of a flow is read back as it was, whatever its protocol", () => {
  fc.assert(
    fc.property(
      anyGuestFlow.filter(({ peer }) => peer !== guest),
      (flow) => {
        const read = decodeFlow(Buffer.concat([encodeNewFlow(guest, flow, 0), id]));
        expect(read).toMatchObject({ id: "4136823441", mark: 0, zone: 0, startedMs: null });
        expect(read === null ? null : guestFlow(guest, read)).toEqual(flow);
      },
    ),
  );
});

test("marks, zones of either kind, counters and the time of a flow's beginning are read", () => {
  const counted = (type: number, packets: number) =>
    nestedAttribute(type, [wideAttribute(1, packets), wideAttribute(2, 2 ** 40)]);
  const told = Buffer.concat([
    encodeNewFlow(guest, guestFlowOf(), 0x0080_0000),
    ...[id, counted(cta.countersOriginal, 9), counted(cta.countersReply, 8)],
    nestedAttribute(cta.timestamp, [wideAttribute(1, 1_700_000_000_123 * 1e6)]),
    networkShortAttribute(cta.zone, 5),
  ]);
  expect(decodeFlow(told)).toMatchObject({
    ...{ mark: 0x0080_0000, zone: 5, startedMs: 1_700_000_000_123 },
    original: { source: "192.0.2.2", packets: 9, bytes: 2 ** 40 },
    reply: { source: guest, packets: 8 },
  });
});

test("damaged in any way an entry is read or refused", () => {
  const whole = Buffer.concat([encodeNewFlow(guest, guestFlowOf(), 1), id]);
  for (let length = 0; length < whole.length; length += 1) expectTyped(whole.subarray(0, length));
  for (let bit = 0; bit < whole.length * 8; bit += 1) {
    const flipped = Buffer.from(whole);
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
    expectTyped(flipped);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
      expectTyped(Buffer.concat([Buffer.from([2, 0, 0, 0]), noise]));
      expectTyped(Buffer.concat([whole, noise]));
    }),
    { numRuns: 1_000 },
  );
});

function expectTyped(bytes: Buffer): void {
  try {
    decodeFlow(bytes);
  } catch (error) {
    if (error instanceof SojournError && error.code === "SOJ_NETLINK_MALFORMED") return;
    throw error;
  }
}

function wideAttribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16LE(12, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.writeBigUInt64BE(BigInt(value), 4);
  return bytes;
}
