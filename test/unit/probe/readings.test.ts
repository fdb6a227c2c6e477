import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readCounter } from "../../../src/probe/kernel-counters.ts";
import { guestClockStep, guestGrowth, sessionGrowth } from "../../../src/probe/readings.ts";
import type { GuestReading } from "../../../src/probe/series.ts";
import { readTcpInfo, writeTcpInfoRequest } from "../../../src/probe/tcp-info.ts";

const instants = { startMs: 1000, stoppedMs: 1500, resumedMs: 1530, settledMs: 3000 };

describe("totals of a session", () => {
  test("what was there before the migration does not count, nor what comes after it", () => {
    const readings = [
      { atMs: 0, retransmissions: 2, rto: 1 },
      { atMs: 1600, retransmissions: 5, rto: 2 },
      { atMs: 4000, retransmissions: 9, rto: 3 },
    ];
    expect(sessionGrowth(readings, instants)).toEqual({ retransmissions: 3, rto: 1 });
    expect(sessionGrowth(readings.slice(0, 1), instants)).toEqual({ retransmissions: 0, rto: 0 });
  });

  test("a kernel that does not tell leaves null, not 0", () => {
    expect(sessionGrowth([], instants)).toEqual({ retransmissions: null, rto: null });
    const noRto = [
      { atMs: 0, retransmissions: 0, rto: null },
      { atMs: 1600, retransmissions: 1, rto: null },
    ];
    expect(sessionGrowth(noRto, instants)).toEqual({ retransmissions: 1, rto: null });
  });
});

describe("the guest's clock", () => {
  const reading = (atMs: number, aheadMs: number, errorMs = 1): GuestReading => ({
    ...{ atMs, aheadMs, errorMs, retransmissions: null, rto: null },
  });

  test("steps by the difference of the surest readings around the blackout", () => {
    const readings = [
      reading(100, 5000),
      reading(1300, 5000.4, 0.4),
      reading(1400, 5003, 6),
      // Asked before the stop, answered after the resume.
      reading(1535, 4990, 20),
      reading(1700, 4976.2, 0.5),
      reading(1800, 4980, 5),
    ];
    const step = guestClockStep(readings, instants);
    expect(step?.stepMs).toBeCloseTo(-24.2, 6);
    expect(step?.errorMs).toBeCloseTo(0.9, 6);
  });

  test("is not known without a reading on both sides, or without a resume", () => {
    expect(guestClockStep([], instants)).toBeNull();
    expect(guestClockStep([reading(100, 0)], instants)).toBeNull();
    expect(guestClockStep([reading(1600, 0)], instants)).toBeNull();
    const both = [reading(100, 0), reading(1600, 0)];
    expect(guestClockStep(both, { ...instants, resumedMs: null })).toBeNull();
  });

  test("a step is found within the error that is stated, whatever the delays", () => {
    const delays = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 30 })),
      {
        minLength: 20,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(delays, fc.integer({ min: -2000, max: 2000 }), (pairs, stepMs) => {
        const readings = pairs.map(([there, back], index) => {
          const sentMs = index < 10 ? 100 * index : 1530 + 100 * (index - 10);
          const guestMs = sentMs + there + 7000 + (index < 10 ? 0 : stepMs);
          const atMs = sentMs + there + back;
          return reading(atMs, guestMs - (sentMs + atMs) / 2, (atMs - sentMs) / 2);
        });
        const step = guestClockStep(readings, instants);
        expect(step).not.toBeNull();
        const wrongBy = Math.abs((step?.stepMs ?? 0) - stepMs);
        expect(wrongBy).toBeLessThanOrEqual((step?.errorMs ?? 0) + 1e-6);
      }),
    );
  });

  test("the guest's totals grow from the last reading before to the last one of the measurement", () => {
    const readings = [
      { ...reading(900, 0), retransmissions: 4, rto: 1 },
      { ...reading(1600, 0), retransmissions: 4, rto: 1 },
      { ...reading(2900, 0), retransmissions: 7, rto: 2 },
    ];
    expect(guestGrowth(readings, instants)).toEqual({ retransmissions: 3, rto: 1 });
    expect(guestGrowth([reading(900, 0)], instants)).toEqual({ retransmissions: null, rto: null });
  });
});

describe("figures of the kernel", () => {
  test("a question names the session (struct inet_diag_req_v2)", () => {
    const local = { localAddress: "192.0.2.2", localPort: 0x1234 };
    const request = writeTcpInfoRequest({ ...local, remoteAddress: "10.1.0.10", remotePort: 7 });
    expect(request.toString("hex")).toBe(
      `02060200ffffffff12340007${"c0000202".padEnd(32, "0")}${"0a01000a".padEnd(32, "0")}${"00000000"}${"ff".repeat(8)}`,
    );
    const six = { localAddress: "fe80::1%eth0", localPort: 1 };
    const request6 = writeTcpInfoRequest({ ...six, remoteAddress: "2001:db8::a:b", remotePort: 7 });
    expect(request6.toString("hex", 12, 44)).toBe(
      `fe800000000000000000000000000001${"20010db80000000000000000000a000b"}`,
    );
  });

  test("an answer is read, one of an older kernel without time-outs", () => {
    const info = Buffer.alloc(248);
    info.writeUInt32LE(5, 100);
    info.writeBigUInt64LE(1234n, 120);
    info.writeUInt16LE(2, 240);
    const answerWith = (bytes: Buffer) => {
      const other = Buffer.from([5, 0, 8, 0, 7, 0, 0, 0]);
      const header = Buffer.alloc(4);
      header.writeUInt16LE(4 + bytes.length, 0);
      header.writeUInt16LE(2, 2);
      return Buffer.concat([Buffer.alloc(72), other, header, bytes]);
    };
    expect(readTcpInfo(answerWith(info))).toEqual({
      retransmissions: 5,
      rto: 2,
      bytesAcked: 1234,
    });
    expect(readTcpInfo(answerWith(info.subarray(0, 232)))?.rto).toBeNull();
    expect(readTcpInfo(answerWith(info.subarray(0, 100)))).toBeNull();
  });

  test("any bytes are an answer or none", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        readTcpInfo(Buffer.from(bytes));
        readTcpInfo(Buffer.concat([Buffer.alloc(72), Buffer.from(bytes)]));
      }),
    );
  });

  test("a counter is found by its name", () => {
    const text =
      "TcpExt: SyncookiesSent TCPTimeouts Other\nTcpExt: 1 22 333\nIpExt: InNoRoutes\nIpExt: 4\n";
    expect(readCounter(text, "TcpExt", "TCPTimeouts")).toBe(22);
    expect(readCounter(text, "IpExt", "InNoRoutes")).toBe(4);
    expect(readCounter(text, "TcpExt", "Absent")).toBeNull();
    expect(readCounter("", "TcpExt", "TCPTimeouts")).toBeNull();
  });
});
