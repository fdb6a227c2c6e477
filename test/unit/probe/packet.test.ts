import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PacketLedger } from "../../../src/probe/packet-ledger.ts";
import { parsePingReply, parsePingSent } from "../../../src/probe/ping-lines.ts";
import { dropsIn } from "../../../src/probe/socket-drops.ts";
import { StampClock } from "../../../src/probe/stamp-clock.ts";

describe("lines of ping", () => {
  test("an answer has a number, a stamp and a round trip", () => {
    const line = "[1795250947.855659] 64 bytes from 10.1.0.10: icmp_seq=65535 ttl=62 time=0.435 ms";
    expect(parsePingReply(line)).toEqual({
      sequence: 65535,
      receivedMs: 1795250947855.659,
      roundTripMs: 0.435,
    });
  });

  test.each([
    ["[1795250947.855659] 64 bytes from 10.1.0.10: icmp_seq=7 ttl=62 time=12.3 ms (DUP!)", 7],
    ["[1795250947.855659] 64 bytes from fe80::1%eth0: icmp_seq=0 ttl=64 time=1000 ms", 0],
    ["[1.5] 64 bytes from 10.1.0.10: icmp_seq=8 ttl=62 time=0.1 ms (different address)", 8],
  ])("%s", (line, sequence) => {
    expect(parsePingReply(line)?.sequence).toBe(sequence);
  });

  test.each([
    "PING 10.1.0.10 (10.1.0.10) 56(84) bytes of data.",
    "[1795250947.855659] From 10.1.0.1 icmp_seq=3 Destination Host Unreachable",
    "[1795250947.855659] no answer yet for icmp_seq=5",
    "64 bytes from 10.1.0.10: icmp_seq=1 ttl=62 time=0.435 ms",
    "[1795250947.855659] 64 bytes from 10.1.0.10: icmp_seq=65536 ttl=62 time=0.435 ms",
    "[1795250947.855659] 64 bytes from 10.1.0.10: icmp_seq=1 ttl=62 time=0.4 ms (BAD CHECKSUM!)",
    "--- 10.1.0.10 ping statistics ---",
  ])("is no answer: %s", (line) => {
    expect(parsePingReply(line)).toBeNull();
  });

  test("the statistics tell how many went out", () => {
    const line =
      "2663 packets transmitted, 2660 received, +3 duplicates, 0.1% packet loss, time 9ms";
    expect(parsePingSent(line)).toBe(2663);
    expect(parsePingSent("64 bytes from 10.1.0.10")).toBeNull();
  });

  test("any text is an answer or none", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const reply = parsePingReply(`[1.5] 64 bytes from 10.1.0.10: icmp_seq=${text}`);
        if (reply !== null) expect(reply.sequence).toBeLessThanOrEqual(0xffff);
        parsePingSent(text);
      }),
    );
  });
});

describe("the ledger of packets", () => {
  const accept = (ledger: PacketLedger, sequences: Iterable<number>) => {
    for (const sequence of sequences) ledger.accept(sequence & 0xffff);
  };

  test("nothing lost, doubled or late", () => {
    const ledger = new PacketLedger();
    accept(ledger, [1, 2, 3, 4]);
    expect(ledger.counts(6, false)).toEqual({
      sent: 4,
      lost: 0,
      unread: 0,
      duplicated: 0,
      reordered: 0,
    });
    expect(ledger.counts(6, true)).toEqual({
      sent: 6,
      lost: 2,
      unread: 0,
      duplicated: 0,
      reordered: 0,
    });
  });

  test("a late answer is reordered and not lost, a second one is a duplicate and not reordered", () => {
    const ledger = new PacketLedger();
    accept(ledger, [1, 4, 2, 2, 4, 6]);
    expect(ledger.counts(6, false)).toEqual({
      sent: 6,
      lost: 2,
      unread: 0,
      duplicated: 2,
      reordered: 1,
    });
  });

  test("what came and was dropped here is no loss of the path", () => {
    const ledger = new PacketLedger();
    accept(ledger, [1, 2, 5]);
    const none = { duplicated: 0, reordered: 0 };
    expect(ledger.counts(5, false, 1)).toEqual({ sent: 5, lost: 1, unread: 1, ...none });
    expect(ledger.counts(5, false, 9)).toEqual({ sent: 5, lost: 0, unread: 9, ...none });
  });

  test("the 16 bits wrap, and what happens around that is counted right", () => {
    const ledger = new PacketLedger();
    accept(
      ledger,
      Array.from({ length: 65_534 }, (_, index) => index + 1),
    );
    accept(ledger, [65_537, 65_536, 65_536, 65_539]);
    expect(ledger.highest).toBe(65_539);
    expect(ledger.counts(65_539, true)).toEqual({
      sent: 65_539,
      lost: 2,
      unread: 0,
      duplicated: 1,
      reordered: 1,
    });
  });

  test("whatever is lost, doubled and swapped is counted, over several rounds of the 16 bits", () => {
    const fate = fc.constantFrom("plain", "lost", "doubled", "late");
    fc.assert(
      fc.property(
        fc.array(fate, { maxLength: 300 }),
        fc.integer({ min: 0, max: 140_000 }),
        (fates, plainBefore) => {
          const ledger = new PacketLedger();
          const arrivals: number[] = [];
          for (let sequence = 1; sequence <= plainBefore; sequence++) arrivals.push(sequence);
          const expected = { sent: plainBefore, lost: 0, unread: 0, duplicated: 0, reordered: 0 };
          let sequence = plainBefore;
          for (const one of fates) {
            sequence++;
            if (one === "lost") expected.lost++;
            else if (one === "late") {
              arrivals.push(sequence + 1, sequence);
              expected.reordered++;
              sequence++;
            } else arrivals.push(sequence);
            if (one === "doubled") {
              arrivals.push(sequence);
              expected.duplicated++;
            }
          }
          accept(ledger, arrivals);
          expect(ledger.counts(sequence, true)).toEqual({ ...expected, sent: sequence });
        },
      ),
      { numRuns: 40 },
    );
  });

  test("any 16-bit numbers leave counts that add up", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { maxLength: 200 }), (sequences) => {
        const ledger = new PacketLedger();
        const distinct = sequences.filter((sequence) => ledger.accept(sequence)).length;
        const { sent, lost, duplicated, reordered } = ledger.counts(0, false);
        expect(sent - lost).toBe(distinct);
        expect(distinct + duplicated).toBe(sequences.length);
        expect(lost).toBeGreaterThanOrEqual(0);
        expect(reordered).toBeLessThanOrEqual(distinct);
      }),
    );
  });
});

describe("drops at a socket", () => {
  const header =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
  const row = (inode: number, drops: number) =>
    ` 1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 ${inode} 2 00000000abcdef01 ${drops}`;

  test("are those of the sockets that are meant", () => {
    const table = [header, row(11, 4), row(12, 20), row(13, 300), ""].join("\n");
    expect(dropsIn(table, new Set(["11", "13"]))).toBe(304);
    expect(dropsIn("", new Set(["11"]))).toBe(0);
  });

  test("any table gives a count", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(dropsIn(`${header}\n${text}`, new Set(["11"]))).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe("stamps of another process", () => {
  test("are put on our clock as well as the shortest delay of late allows, and never into the future", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 40 })), {
          minLength: 1,
          maxLength: 100,
        }),
        fc.integer({ min: -1_000_000, max: 1_000_000 }),
        (steps, offsetMs) => {
          const clock = new StampClock();
          let madeMs = 0;
          let readMs = 0;
          for (const [sinceMs, delayMs] of steps) {
            madeMs += sinceMs;
            readMs = Math.max(readMs, madeMs + delayMs);
            const mapped = clock.toMonotonicMs(madeMs + offsetMs, readMs);
            expect(mapped).toBeLessThanOrEqual(readMs);
            expect(mapped).toBeGreaterThanOrEqual(madeMs);
          }
        },
      ),
    );
  });

  test("a wall clock that is stepped is followed within two seconds", () => {
    const clock = new StampClock();
    for (let nowMs = 0; nowMs < 1000; nowMs += 10) clock.toMonotonicMs(nowMs + 5000, nowMs);
    let mapped = 0;
    for (let nowMs = 1000; nowMs <= 3100; nowMs += 10) {
      mapped = clock.toMonotonicMs(nowMs - 60_000, nowMs);
    }
    expect(mapped).toBe(3100);
  });
});
