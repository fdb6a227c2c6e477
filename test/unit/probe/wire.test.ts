import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EchoVerifier, echoMessageBytes, writeEchoMessage } from "../../../src/probe/echo-codec.ts";
import { parseProberMessage } from "../../../src/probe/messages.ts";
import { chargenPattern, PatternFollower, patternPeriodBytes } from "../../../src/probe/pattern.ts";
import { parseProbeTarget } from "../../../src/probe/target.ts";

/** Cuts `bytes` into pieces of the given sizes, repeated. */
function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  let offset = 0;
  for (let turn = 0; offset < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] as number;
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 8 });

describe("the pattern of RFC 864", () => {
  test("starts with the lines of the RFC", () => {
    const text = chargenPattern(148).toString("latin1");
    expect(text.slice(0, 74)).toBe(
      ` !"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_\`abcdefg\r\n`,
    );
    expect(text.slice(74, 80)).toBe(`!"#$%&`);
  });

  test("is followed from any place, however it is cut", () => {
    fc.assert(
      fc.property(fc.nat(patternPeriodBytes), sizes, (start, cuts) => {
        const follower = new PatternFollower(3000);
        const bytes = chargenPattern(3 * patternPeriodBytes).subarray(start);
        for (const piece of pieces(bytes, cuts)) expect(follower.accept(piece)).toBe(true);
        expect(follower.isSynchronized).toBe(true);
      }),
    );
  });

  test("one changed, missing or doubled byte is noticed", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 200, max: 2 * patternPeriodBytes }),
        fc.constantFrom("changed", "missing", "doubled"),
        sizes,
        (at, damage, cuts) => {
          const whole = chargenPattern(3 * patternPeriodBytes);
          const from = damage === "missing" ? at + 1 : at;
          const bytes = Buffer.concat([
            whole.subarray(0, damage === "doubled" ? at + 1 : at),
            whole.subarray(from),
          ]);
          if (damage === "changed") bytes[at] = (bytes[at] as number) ^ 1;
          const follower = new PatternFollower(3000);
          const isRight = [...pieces(bytes, cuts)].every((piece) => follower.accept(piece));
          expect(isRight).toBe(false);
        },
      ),
    );
  });
});

describe("answers of an echo session", () => {
  function requests(nonce: number, count: number): Buffer {
    const bytes = Buffer.alloc(count * echoMessageBytes);
    for (let index = 0; index < count; index++) {
      writeEchoMessage(bytes, index * echoMessageBytes, nonce, index);
    }
    return bytes;
  }

  test("are counted however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.nat(0xffffffff),
        fc.integer({ min: 1, max: 100 }),
        sizes,
        (nonce, count, cuts) => {
          const verifier = new EchoVerifier(nonce);
          for (const piece of pieces(requests(nonce, count), cuts)) {
            expect(verifier.accept(piece)).toBe(true);
          }
          expect(verifier.nextSequence).toBe(count);
        },
      ),
    );
  });

  test("a changed byte or two swapped answers are noticed", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(20 * echoMessageBytes - 1), (nonce, at) => {
        const bytes = requests(nonce, 20);
        bytes[at] = (bytes[at] as number) ^ 0x10;
        expect(new EchoVerifier(nonce).accept(bytes)).toBe(false);
      }),
    );
    const bytes = requests(1, 3);
    const swapped = Buffer.concat([
      bytes.subarray(0, 32),
      bytes.subarray(64, 96),
      bytes.subarray(32, 64),
    ]);
    expect(new EchoVerifier(1).accept(swapped)).toBe(false);
  });
});

describe("lines of a prober", () => {
  test("any text is a message or a typed error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        try {
          parseProberMessage(line);
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_PROBER_PROTOCOL" });
        }
      }),
    );
  });

  test("arrays that disagree are refused", () => {
    const message = {
      type: "echoes",
      at_ms: 1,
      base_ms: 1,
      own_pause_us: 0,
      sent_us: [1],
      received_us: [],
      unanswered: 0,
    };
    expect(() => parseProberMessage(JSON.stringify(message))).toThrow(/not of its protocol/);
  });
});

describe("targets", () => {
  test.each([
    ["10.1.0.10", "10.1.0.10", 7],
    ["10.1.0.10:70", "10.1.0.10", 70],
    ["web1.example", "web1.example", 7],
    ["fd00::1", "fd00::1", 7],
    ["[fd00::1]:70", "fd00::1", 70],
  ])("%s", (text, host, port) => {
    expect(parseProbeTarget("tcp-echo", text)).toEqual({ host, port });
  });

  test("any other text is a typed error", () => {
    for (const text of ["", ":7", "a:0", "a:65536", "10.1.0", "10.1.0.10:x", "-x", "a b", "[::1"]) {
      expect(() => parseProbeTarget("tcp-stream", text)).toThrow(
        expect.objectContaining({ code: "SOJ_BAD_TARGET" }),
      );
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          const { port } = parseProbeTarget("tcp-stream", text);
          expect(port).toBeGreaterThan(0);
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_BAD_TARGET", exitCode: 2 });
        }
      }),
    );
  });
});
