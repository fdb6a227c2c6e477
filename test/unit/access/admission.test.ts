import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Admission } from "../../../src/daemon/access/admission.ts";
import { clientNetwork } from "../../../src/daemon/access/client-network.ts";
import { RateMeter } from "../../../src/daemon/access/rate-meter.ts";
import { replaceClock } from "../../../src/platform/clock.ts";

let nowMs = 0;
let clock: Disposable;
let port = 1;
let refused: string[];

beforeEach(() => {
  nowMs = 0;
  refused = [];
  clock = replaceClock({
    monotonicMs: () => nowMs,
    wallClockMs: () => nowMs,
    startTimer: () => ({ cancel: () => {} }),
  });
});
afterEach(() => clock[Symbol.dispose]());

class Connection extends EventEmitter {
  readonly remoteAddress: string;
  readonly remotePort = port++;
  isOpen = true;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  destroy(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.emit("close");
  }
}

function admissionOf(
  maxConnections: number,
  maxConnectionsPerAddress = maxConnections,
  maxConnectionsPerCaller = maxConnections,
) {
  const limits = {
    ...{ maxConnections, maxConnectionsPerAddress, maxConnectionsPerCaller },
    handshakesPerSecond: 300,
  };
  const admission = new Admission(limits, (reason) => refused.push(reason));
  const connect = (address: string) => {
    const connection = new Connection(address);
    return { connection, isAdmitted: admission.admit(connection as unknown as Socket) };
  };
  const admit = (address: string) => {
    const { connection, isAdmitted } = connect(address);
    expect(isAdmitted).toBe(true);
    return connection;
  };
  return { admission, connect, admit };
}

describe("Admission", () => {
  it("closes what is too much of one address, and forgets what has closed", () => {
    const { admission, admit, connect } = admissionOf(100, 2);
    const first = admit("192.0.2.1");
    admit("192.0.2.1");
    const { connection, isAdmitted } = connect("192.0.2.1");
    expect([isAdmitted, connection.isOpen, refused]).toEqual([false, false, ["address"]]);
    admit("192.0.2.2");
    first.destroy();
    admit("192.0.2.1");
    expect(admission.count).toBe(3);
    admission.closeAll();
    expect(admission.count).toBe(0);
  });

  it("takes all addresses of an IPv6 network of 64 bits for one", () => {
    const { admit, connect } = admissionOf(100, 2);
    admit("2001:db8:1:2::1");
    admit("2001:db8:1:2:ffff:1:2:3");
    expect(connect("2001:0db8:0001:0002::2").isAdmitted).toBe(false);
    admit("2001:db8:1:3::1");
  });

  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::1", "0:0:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64%eth0"],
    ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4::/64"],
    ["1:2:3:4:5:6:7::", "1:2:3:4::/64"],
    ["1::", "1:0:0:0::/64"],
  ])("counts %s as %s", (address, network) => {
    expect(clientNetwork(address)).toBe(network);
  });

  it("lets the oldest of those who stay silent go, for somebody new", () => {
    const { admission, admit, connect } = admissionOf(8);
    const silent = [1, 2, 3, 4].map((host) => admit(`192.0.2.${host}`));
    // None of them had time to speak yet.
    expect(connect("198.51.100.1").isAdmitted).toBe(false);
    nowMs = 600;
    const newcomer = admit("198.51.100.1");
    expect(silent.map(({ isOpen }) => isOpen)).toEqual([false, true, true, true]);
    admission.identified(newcomer, "ci");
    // Who is identified stays, however many come after.
    nowMs = 1200;
    for (const host of [5, 6, 7, 8]) admit(`192.0.2.${host}`);
    expect(newcomer.isOpen).toBe(true);
    expect(silent.some(({ isOpen }) => isOpen)).toBe(false);
    expect(admission.count).toBe(5);
  });

  it("lets nobody in beyond the limit of all", () => {
    const { admission, admit, connect } = admissionOf(4);
    for (const host of [1, 2, 3, 4]) admission.identified(admit(`192.0.2.${host}`), "ci");
    expect(connect("192.0.2.9").isAdmitted).toBe(false);
    expect(admission.count).toBe(4);
  });

  it("lets a caller have so many connections, from wherever, and forgets those that have closed", () => {
    const { admission, admit } = admissionOf(100, 100, 2);
    const first = admit("192.0.2.1");
    expect(admission.identified(first, "ci")).toBe(true);
    expect(admission.identified(admit("192.0.2.2"), "ci")).toBe(true);
    const third = admit("192.0.2.3");
    expect(admission.identified(third, "ci")).toBe(false);
    // The same connections go on, and another caller has its own.
    expect(admission.identified(first, "ci")).toBe(true);
    expect(admission.identified(third, "monitoring")).toBe(true);
    first.destroy();
    expect(admission.identified(admit("192.0.2.1"), "ci")).toBe(true);
    expect(admission.identified(admit("192.0.2.1"), "ci")).toBe(false);
    // Whoever shows another token on a connection has it no more as before.
    expect(admission.identified(third, "ci")).toBe(false);
    expect(admission.identified(first, "ci")).toBe(true);
  });

  it("leaves room for others beside a caller who takes all that it can get, from known addresses too", () => {
    const { admission, admit, connect } = admissionOf(8, 4, 4);
    const greedy = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"].map(admit);
    for (const connection of greedy) expect(admission.identified(connection, "ci")).toBe(true);
    const silent = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"].map(admit);
    expect(connect("203.0.113.1").isAdmitted).toBe(false);
    nowMs = 600;
    const other = admit("203.0.113.1");
    expect(admission.identified(other, "monitoring")).toBe(true);
    expect(silent.map(({ isOpen }) => isOpen)).toEqual([false, true, true, true]);
    expect(greedy.every(({ isOpen }) => isOpen)).toBe(true);
    expect(admission.count).toBe(8);
  });

  it("lets one known caller not have all handshakes, from however many addresses", () => {
    const { admission, admit, connect } = admissionOf(1000);
    for (const host of [1, 2, 3]) admission.identified(admit(`192.0.2.${host}`), "ci");
    admission.identified(admit("203.0.113.1"), "monitoring");
    for (let count = 0; count < 1000; count += 1) connect(`192.0.2.${1 + (count % 3)}`);
    admit("203.0.113.1");
  });

  it("leaves a known caller handshakes at its other addresses when strangers share one with it", () => {
    const { admission, admit, connect } = admissionOf(1000);
    for (const host of [1, 2]) admission.identified(admit(`192.0.2.${host}`), "ci");
    nowMs = 1000;
    for (let count = 0; count < 1000; count += 1) connect("192.0.2.1");
    admit("192.0.2.2");
  });

  it("lets nobody go for one who is refused all the same", () => {
    const { admit, connect } = admissionOf(1000);
    const silent = Array.from({ length: 200 }, () => admit("192.0.2.1"));
    nowMs = 1000;
    for (let host = 0; host < 300; host += 1) admit(`198.51.100.${host}`);
    const open = () => silent.filter(({ isOpen }) => isOpen).length;
    expect(open()).toBe(200);
    nowMs = 1600;
    for (let count = 0; count < 100; count += 1)
      expect(connect("192.0.2.9").isAdmitted).toBe(false);
    expect(open()).toBe(200);
  });

  it("prefers addresses from which somebody was identified, in a flood", () => {
    const { admission, admit, connect } = admissionOf(100);
    const operator = admit("203.0.113.1");
    admission.identified(operator, "ci");
    operator.destroy();
    for (let host = 0; host < 2000; host += 1) connect(`10.0.${host >> 8}.${host & 255}`);
    expect(refused.length).toBeGreaterThan(1900);
    const again = admit("203.0.113.1");
    nowMs = 900;
    for (let host = 0; host < 2000; host += 1) connect(`10.1.${host >> 8}.${host & 255}`);
    expect(again.isOpen).toBe(true);
    expect(admission.count).toBeLessThanOrEqual(100);
  });
});

describe("RateMeter", () => {
  it("allows so many a second, of one key and in all", () => {
    const meter = new RateMeter(3, 2);
    expect(["a", "a", "a", "b", "c"].map((key) => meter.allows(key))).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    nowMs = 999;
    expect(meter.allows("c")).toBe(false);
    nowMs = 1000;
    expect(meter.allows("c")).toBe(true);
  });
});
