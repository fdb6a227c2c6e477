import fc from "fast-check";
import { expect, test } from "vitest";
import { EventParser, type StreamMessage } from "../../../src/client/event-parser.ts";
import { messageOf } from "../../../src/daemon/api/event-streams.ts";

function parseIn(text: string, cuts: readonly number[]): StreamMessage[] {
  const parser = new EventParser();
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)), text.length];
  places.sort((left, right) => left - right);
  return places.slice(1).flatMap((end, index) => parser.push(text.slice(places[index], end)));
}

test("the fields, comments, line ends and spaces of the standard", () => {
  const text =
    ": hi\nid: 1\nevent: phase\ndata: a\ndata:  b\n\nid\ndata:x\r\n\r\ndata\rdata:y\r\rretry: 250\nretry: x\nnoise: 1\n\n";
  expect(parseIn(`\u{feff}${text}`, [])).toEqual([
    { id: "1", event: "phase", data: "a\n b" },
    { id: "", event: "message", data: "x" },
    { id: "", event: "message", data: "\ny" },
  ]);
  const parser = new EventParser("7");
  expect(parser.push("id: a\0b\nretry: 250\n\nid: 9\n\nid: 10\ndata: never ended")).toEqual([]);
  expect(parser).toMatchObject({ lastId: "9", retryMs: 250 });
});

test("whatever the server sends arrives as it was, wherever it is cut", () => {
  const id = fc.option(fc.stringMatching(/^[a-z0-9-]{1,20}$/), { nil: null });
  const events = fc.array(
    fc.record({ id, event: fc.constant("phase"), data: fc.array(fc.jsonValue()) }),
  );
  fc.assert(
    fc.property(events, fc.array(fc.nat(), { maxLength: 20 }), (sent, cuts) => {
      const parsed = parseIn(sent.map(messageOf).join(": still here\n\n"), cuts);
      expect(parsed.map(({ data }) => JSON.parse(data))).toEqual(
        sent.map(({ data }) => JSON.parse(JSON.stringify(data))),
      );
      let last = "";
      expect(parsed.map((message) => message.id)).toEqual(
        sent.map((event) => {
          last = event.id ?? last;
          return last;
        }),
      );
    }),
  );
});

test("any text is read the same however it is cut", () => {
  const texts = fc
    .array(fc.constantFrom("data:", "id:", "x", ":", "\n", "\r", "\r\n", " ", "é"))
    .map((parts) => `${parts.join("")}.`);
  fc.assert(
    fc.property(texts, fc.array(fc.nat(), { maxLength: 20 }), (text, cuts) => {
      expect(parseIn(text, cuts)).toEqual(parseIn(text, []));
    }),
    { numRuns: 1_000 },
  );
});

test("an event without an end is refused, not kept", () => {
  const parser = new EventParser();
  const piece = `data: ${"x".repeat(100_000)}\n`;
  expect(() => {
    for (let count = 0; count < 100; count += 1) parser.push(piece);
  }).toThrow(expect.objectContaining({ code: "SOJ_DAEMON_PROTOCOL" }));
});
