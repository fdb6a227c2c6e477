import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readGuestClockMs, readGuestTcp } from "../../../src/probe/guest-figures.ts";
import { GuestWatch } from "../../../src/probe/guest-watch.ts";
import { HttpAnswerReader } from "../../../src/probe/http-answers.ts";

const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });

function readAll(text: string, cuts: readonly number[] = [text.length || 1]) {
  const reader = new HttpAnswerReader();
  const bytes = Buffer.from(text, "latin1");
  const answers = [];
  for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
    const size = cuts[turn % cuts.length] as number;
    const some = reader.push(bytes.subarray(offset, offset + size));
    if (some === null) return null;
    answers.push(...some);
    offset += size;
  }
  return answers;
}

describe("answers of an HTTP server", () => {
  const lengthOf = (status: string, text: string, more = "") =>
    `HTTP/1.1 ${status}\r\nContent-Length: ${text.length}\r\n${more}\r\n${text}`;
  const chunked = (chunks: readonly string[]) =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks
      .map((chunk) => `${chunk.length.toString(16)};x=1\r\n${chunk}\r\n`)
      .join("")}0\r\nTrailer: a\r\n\r\n`;

  test("are found however the bytes are cut, whatever their form", () => {
    const text = fc.string({ unit: "grapheme-ascii", maxLength: 100 });
    const answer = fc.oneof(
      text.map((body) => ({ raw: lengthOf("200 OK", body), status: 200, body })),
      text.map((body) => ({ raw: lengthOf("404 Not Found", body), status: 404, body })),
      fc
        .array(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 }))
        .map((chunks) => ({ raw: chunked(chunks), status: 200, body: chunks.join("") })),
      fc.constant({ raw: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, body: "" }),
    );
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 6 }), sizes, (wanted, cuts) => {
        const found = readAll(wanted.map(({ raw }) => raw).join(""), cuts);
        expect(found).toEqual(
          wanted.map(({ status, body }) => ({ status, text: body, closes: false })),
        );
      }),
    );
  });

  test("an interim answer is none, and the end of the connection is announced in either version", () => {
    const interim = `HTTP/1.1 100 Continue\r\n\r\n${lengthOf("200 OK", "a", "Connection: close\r\n")}`;
    expect(readAll(interim)).toEqual([{ status: 200, text: "a", closes: true }]);
    const old = "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n";
    expect(readAll(`${old}\r\n`)?.[0]?.closes).toBe(true);
    expect(readAll(`${old}Connection: keep-alive\r\n\r\n`)?.[0]?.closes).toBe(false);
  });

  test.each([
    "SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    `HTTP/1.1 200 OK\r\n${"a".repeat(20_000)}`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${"a".repeat(1000)}`,
  ])("is not HTTP", (text) => {
    expect(readAll(text)).toBeNull();
  });

  test("any bytes are answers or refused, and only the start of a long content is kept", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), sizes, (text, cuts) => {
        readAll(text, cuts);
        readAll(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text}`, cuts);
      }),
    );
    const [answer] = readAll(lengthOf("200 OK", "x".repeat(100_000)), [1000]) ?? [];
    expect(answer?.text).toHaveLength(4096);
  });
});

describe("what a guest says of itself", () => {
  test("is read from its pages, and anything else is nothing", () => {
    const clock = '{"realtime_ns":"1795250947855659123","monotonic_ns":"12"}';
    expect(readGuestClockMs(clock)).toBe(1795250947855.659);
    const tcp = '{"retransmissions":3,"timeouts":1,"loss_probes":0,"segments_sent":9}';
    expect(readGuestTcp(tcp)).toEqual({ retransmissions: 3, rto: 1 });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(readGuestClockMs(text)).toBeNull();
        expect(readGuestTcp(text)).toBeNull();
      }),
    );
  });

  test("is asked for only once of a server that has no such page", () => {
    const watch = new GuestWatch();
    expect(watch.nextPage(0)).toBe("/clock");
    const missing = { status: 404, text: "not found", closes: false };
    expect(watch.accept("/clock", missing, 0, 1)).toBeNull();
    expect(watch.nextPage(10_000)).toBeNull();
  });

  test("is asked for again and again of a guest, its counters before its clock", () => {
    const watch = new GuestWatch();
    const clock = { status: 200, text: '{"realtime_ns":"5000000000"}', closes: false };
    const tcp = { status: 200, text: '{"retransmissions":3,"timeouts":1}', closes: false };
    expect(watch.accept("/clock", clock, 10, 14)).toEqual({
      at_ms: 14,
      ahead_ms: 4988,
      error_ms: 2,
      retransmissions: null,
      rto: null,
    });
    expect(watch.nextPage(50)).toBeNull();
    expect(watch.nextPage(200)).toBe("/tcp");
    watch.accept("/tcp", tcp, 200, 201);
    expect(watch.nextPage(202)).toBe("/clock");
    expect(watch.accept("/clock", clock, 202, 204)).toMatchObject({ retransmissions: 3, rto: 1 });
  });
});
