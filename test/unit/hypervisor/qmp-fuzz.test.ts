import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import { QmpConnection } from "../../../src/hypervisor/qemu/qmp/connection.ts";
import { qmpProtocolError } from "../../../src/hypervisor/qemu/qmp/errors.ts";
import { parseMessage } from "../../../src/hypervisor/qemu/qmp/messages.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { LineSplitter } from "../../../src/platform/line-splitter.ts";
import { FakeQmp } from "../../support/fake-qmp.ts";

const logger = pino({ level: "silent" });
/** What a command may end with; anything else would be a fault of ours. */
const ends = [
  "SOJ_QMP_CLOSED",
  "SOJ_QMP_PROTOCOL",
  "SOJ_HYPERVISOR_REFUSED",
  "SOJ_HYPERVISOR_TIMEOUT",
];

/** Something a monitor says after a command with id `own`. */
type Saying =
  | { kind: "line"; text: (own: unknown) => string }
  | { kind: "bytes"; bytes: Buffer }
  | { kind: "close" };

const line = (text: (own: unknown) => string): Saying => ({ kind: "line", text });
const id = fc.oneof(
  fc.constant("own"),
  fc.constantFrom<unknown>(0, -1, 1.5, 1e300, 999, "1", null, [], {}, true),
);
const withId = (chosen: unknown, own: unknown) => (chosen === "own" ? own : chosen);

const saying: fc.Arbitrary<Saying> = fc.oneof(
  fc
    .tuple(id, fc.jsonValue())
    .map(([chosen, value]) =>
      line((own) => JSON.stringify({ return: value, id: withId(chosen, own) })),
    ),
  fc
    .tuple(id, fc.jsonValue())
    .map(([chosen, error]) => line((own) => JSON.stringify({ error, id: withId(chosen, own) }))),
  fc
    .tuple(fc.string(), fc.jsonValue(), fc.jsonValue())
    .map(([event, data, timestamp]) => line(() => JSON.stringify({ event, data, timestamp }))),
  fc.json().map((text) => line(() => text)),
  fc.constant(line(() => '{"error": {"class": "GenericError", "desc": "no id"}}')),
  fc.constant(line(() => `{"return": ${"[".repeat(10_000)}${"]".repeat(10_000)}, "id": 2}`)),
  fc
    .uint8Array({ maxLength: 60 })
    .map((bytes): Saying => ({ kind: "bytes", bytes: Buffer.from(bytes) })),
  fc.constant<Saying>({ kind: "close" }),
);

test("whatever a monitor says to a command, in whatever pieces, the command ends and the connection is whole or over", async () => {
  await using fake = await FakeQmp.listen();
  await fc.assert(
    fc.asyncProperty(
      fc.array(saying, { maxLength: 6 }),
      fc.integer({ min: 1, max: 50 }),
      async (sayings, cut) => {
        fake.answer = ({ id: own }) => say(fake, sayings, own, cut);
        const qmp = await QmpConnection.open(fake.path, {
          logger,
          onEvent: () => {},
          timeoutMs: 2000,
        });
        const asked = await outcomeOf(qmp.execute("query-status", undefined, 30));
        if (asked !== "answered") expect(ends).toContain(asked);
        fake.answer = () => ({});
        const next = await outcomeOf(qmp.execute("query-status", undefined, 30));
        if (next !== "answered") expect(ends).toContain(next);
        qmp.close();
        expect(await qmp.closed).toBeInstanceOf(SojournError);
      },
    ),
    { numRuns: 150 },
  );
});

test("a stream of any bytes in any pieces, beyond any limit, is lines of messages or refused", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc.constantFrom(Buffer.from("\n"), Buffer.from("\r\n"), Buffer.alloc(300, "x")),
      fc.constantFrom(Buffer.from([0xc3]), Buffer.from([0xff, 0x0a]), Buffer.from("\0\n")),
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(pieces, (chunks) => {
      const splitter = new LineSplitter(256, qmpProtocolError);
      for (const chunk of chunks) {
        try {
          for (const text of splitter.push(chunk)) parseMessage(text);
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_QMP_PROTOCOL" });
          expect((error as Error).message.length).toBeLessThan(1000);
        }
        expect(splitter.heldBytes).toBeLessThanOrEqual(256);
      }
    }),
    { numRuns: 1000 },
  );
});

function say(fake: FakeQmp, sayings: readonly Saying[], own: unknown, cut: number): undefined {
  for (const one of sayings) {
    if (one.kind === "close") fake.hangUp();
    if (one.kind === "bytes") fake.say(one.bytes);
    if (one.kind !== "line") continue;
    const bytes = Buffer.from(`${one.text(own)}\r\n`);
    fake.say(bytes.subarray(0, cut));
    fake.say(bytes.subarray(cut));
  }
}

function outcomeOf(command: Promise<unknown>): Promise<string> {
  return command.then(
    () => "answered",
    (error: unknown) => (error instanceof SojournError ? error.code : String(error)),
  );
}
