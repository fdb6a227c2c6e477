import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { SojournError } from "../../../src/platform/errors.ts";
import { addressDumpRequest, decodeAddress } from "../../../src/routing/netlink/addresses.ts";
import { decodeCounters, decodeLink, linkDumpRequest } from "../../../src/routing/netlink/links.ts";
import {
  decodeFdbEntry,
  decodeNeighbour,
  neighbourDumpRequest,
} from "../../../src/routing/netlink/neighbours.ts";
import {
  decodeRoute,
  decodeRouteLookup,
  routeDumpRequest,
} from "../../../src/routing/netlink/routes.ts";
import { decodeRule, ruleDumpRequest } from "../../../src/routing/netlink/rules.ts";
import { MessageType, RouteNetlink } from "../../../src/routing/netlink/socket.ts";

/** The kernel's own messages, cut and with bits flipped, and attributes that no kernel would send. */
const linkName = (index: number) => `if${index}`;

interface Kind {
  headerBytes: number;
  decode(bytes: Buffer): unknown;
  request: [type: number, data: Buffer];
}

const neighbours = (kind: "neighbours" | "proxies" | "fdb") =>
  [MessageType.getNeighbour, neighbourDumpRequest(kind)] as [number, Buffer];

const kinds: [string, Kind][] = [
  [
    "link",
    { headerBytes: 16, decode: decodeLink, request: [MessageType.getLink, linkDumpRequest()] },
  ],
  [
    "link's statistics",
    { headerBytes: 16, decode: decodeCounters, request: [MessageType.getLink, linkDumpRequest()] },
  ],
  [
    "route",
    {
      headerBytes: 12,
      decode: (bytes) => decodeRoute(bytes, linkName),
      request: [MessageType.getRoute, routeDumpRequest()],
    },
  ],
  [
    "route lookup",
    {
      headerBytes: 12,
      decode: decodeRouteLookup,
      request: [MessageType.getRoute, routeDumpRequest()],
    },
  ],
  [
    "rule",
    { headerBytes: 12, decode: decodeRule, request: [MessageType.getRule, ruleDumpRequest()] },
  ],
  [
    "address",
    {
      headerBytes: 8,
      decode: (bytes) => decodeAddress(bytes, linkName),
      request: [MessageType.getAddress, addressDumpRequest()],
    },
  ],
  [
    "neighbour",
    {
      headerBytes: 12,
      decode: (bytes) => decodeNeighbour(bytes, linkName),
      request: neighbours("neighbours"),
    },
  ],
  [
    "bridge entry",
    {
      headerBytes: 12,
      decode: (bytes) => decodeFdbEntry(bytes, linkName),
      request: neighbours("fdb"),
    },
  ],
];

describe.each(kinds)("a %s", (_kind, { headerBytes, decode, request: [type, data] }) => {
  let samples: Buffer[];
  beforeAll(async () => {
    using netlink = new RouteNetlink();
    samples = (await netlink.dump("samples", type, data)).slice(0, 3);
  });

  test("of the kernel is read; cut anywhere it is read or refused", () => {
    for (const bytes of samples) {
      expect(() => decode(bytes)).not.toThrow();
      for (let length = 0; length < bytes.length; length += 1)
        expectTyped(bytes.subarray(0, length));
    }
  });

  test("of the kernel with any bit flipped is read or refused", () => {
    for (const bytes of samples) {
      for (let bit = 0; bit < bytes.length * 8; bit += 1) {
        const flipped = Buffer.from(bytes);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        expectTyped(flipped);
      }
    }
  });

  test("with any attributes, of any length and nested in one another, is read or refused", () => {
    const header = fc.uint8Array({ minLength: headerBytes, maxLength: headerBytes });
    fc.assert(
      fc.property(header, attributes, (head, rest) => {
        expectTyped(Buffer.concat([head, rest]));
      }),
      { numRuns: 1000 },
    );
  });

  function expectTyped(bytes: Buffer): void {
    try {
      decode(bytes);
    } catch (error) {
      if (error instanceof SojournError && error.code === "SOJ_NETLINK_MALFORMED") return;
      throw error;
    }
  }
});

/** Attributes as linux/netlink.h has them, most of them with types that mean something. */
const attributes: fc.Arbitrary<Buffer> = fc.letrec<{ list: Buffer; value: Buffer }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    tie("list"),
  ),
  list: fc
    .array(fc.tuple(fc.nat(30), fc.boolean(), tie("value"), fc.integer({ min: -5, max: 5 })), {
      maxLength: 6,
    })
    .map((all) => Buffer.concat(all.map(attribute))),
})).list;

/** `lie`: how much longer than it is the attribute says to be. */
function attribute([type, nested, value, lie]: [number, boolean, Buffer, number]): Buffer {
  const bytes = Buffer.alloc((4 + value.length + 3) & ~3);
  bytes.writeUInt16LE(Math.max(0, 4 + value.length + (lie === 5 ? 4096 : lie === -5 ? -4 : 0)), 0);
  bytes.writeUInt16LE(type | (nested ? 0x8000 : 0), 2);
  value.copy(bytes, 4);
  return bytes;
}
