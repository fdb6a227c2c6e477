import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import { LibvirtConnection } from "../../../src/hypervisor/libvirt/rpc/connection.ts";
import { lifecycleEvent } from "../../../src/hypervisor/libvirt/rpc/events/domain-events.ts";
import {
  connectDomainEventCallbackRegisterAny,
  connectListAllDomains,
} from "../../../src/hypervisor/libvirt/rpc/procedures/connect.ts";
import { encodeWireError } from "../../../src/hypervisor/libvirt/rpc/xdr/wire-error.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { type FakeCall, FakeLibvirt, replyTo } from "../../support/fake-libvirt.ts";

const logger = pino({ level: "silent" });
/** What a call may end with; anything else would be a fault of ours. */
const ends = [
  "SOJ_LIBVIRT_CLOSED",
  "SOJ_LIBVIRT_PROTOCOL",
  "SOJ_HYPERVISOR_REFUSED",
  "SOJ_HYPERVISOR_TIMEOUT",
];

/** Something that libvirt says after a call. */
type Saying = (call: FakeCall) => Buffer | "close";

const uint32 = fc.oneof(fc.constantFrom(0, 1, 2, 28, 0x7fff_ffff, 0xffff_ffff), fc.nat());
const good = connectListAllDomains.reply.encode({
  domains: [{ name: "web1", uuid: "9f1c1b6e-0c0e-4d57-8a53-0f6a3c6f0a11", id: -1 }],
  count: 1,
});
const refusal = encodeWireError({ code: 1, domain: 2, level: 2, description: "no" });
const changes = fc.record(
  {
    program: fc.constantFrom(0x2000_8086, 0x2000_8087, 0x6b65_6570, 0),
    version: fc.constantFrom(0, 1, 2),
    procedure: fc.constantFrom(1, 2, 273, 316, 318, 362, -1),
    type: fc.integer({ min: -1, max: 6 }),
    serial: uint32,
    status: fc.integer({ min: -1, max: 3 }),
  },
  { requiredKeys: [] },
);
const payload = fc.oneof(
  fc.constant(good),
  fc.constant(refusal),
  fc.uint8Array({ maxLength: 80 }),
  // A whole reply with one word of it changed: counts, lengths, discriminants.
  fc.tuple(fc.constantFrom(good, refusal), fc.nat(), uint32).map(([whole, at, word]) => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt32BE(word, 4 * (at % (bytes.length / 4)));
    return bytes;
  }),
);
const saying: fc.Arbitrary<Saying> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(changes, payload).map(([some, bytes]) => packetOf(some, bytes)),
  },
  fc.tuple(payload, uint32).map(([bytes, length]) => lyingPacket(bytes, length)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => () => Buffer.from(bytes)),
  fc.constant<Saying>(() => "close"),
);

test("whatever libvirt says to a call, in whatever pieces, the call ends and the connection is whole or over", async () => {
  await using fake = await FakeLibvirt.listen();
  await fc.assert(
    fc.asyncProperty(
      fc.array(saying, { maxLength: 5 }),
      fc.integer({ min: 1, max: 60 }),
      async (sayings, cut) => {
        for (const procedure of [connectListAllDomains, connectDomainEventCallbackRegisterAny]) {
          fake.answer(procedure, (call) => say(sayings, call, cut));
        }
        const libvirt = await LibvirtConnection.open({ logger, sockets: [fake.path] });
        const asked = await Promise.all([
          outcomeOf(libvirt.call(connectListAllDomains, { needResults: 1, flags: 0 }, soon)),
          outcomeOf(libvirt.subscribe(lifecycleEvent, () => {}, soon)),
        ]);
        for (const outcome of asked) if (outcome !== "answered") expect(ends).toContain(outcome);
        libvirt.close();
        expect(await libvirt.closed).toBeInstanceOf(SojournError);
      },
    ),
    { numRuns: 200 },
  );
});

const soon = { timeoutMs: 30 };

function packetOf(some: Partial<FakeCall["header"]>, bytes: Uint8Array): Saying {
  return (call) => replyTo(call, bytes, some);
}

function lyingPacket(bytes: Uint8Array, length: number): Saying {
  return (call) => {
    const packet = replyTo(call, bytes);
    packet.writeUInt32BE(length >>> 0);
    return packet;
  };
}

function say(sayings: readonly Saying[], call: FakeCall, cut: number): undefined {
  for (const one of sayings) {
    const bytes = one(call);
    if (call.socket.destroyed) return;
    if (bytes === "close") {
      call.socket.destroy();
      return;
    }
    call.socket.write(bytes.subarray(0, cut));
    call.socket.write(bytes.subarray(cut));
  }
}

function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "answered",
    (error: unknown) => (error instanceof SojournError ? error.code : String(error)),
  );
}
