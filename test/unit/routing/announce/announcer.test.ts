import pino from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Announcer, openAnnouncer } from "../../../../src/routing/announce/announcer.ts";
import {
  announcementFrame,
  correctionFrame,
  portFrame,
} from "../../../../src/routing/announce/frames.ts";
import { FakeClock } from "../../platform/fake-clock.ts";

const home = "52:54:00:00:01:01";
const guest = "52:54:00:00:00:0a";
const away = { device: "guests0", address: "10.1.0.10", mac: null, port: guest };
const back = { ...away, mac: guest };

describe("frames", () => {
  test("say what their standards want, byte for byte", () => {
    const announced = announcementFrame({ address: "10.1.0.10", mac: home, source: home });
    expect(announced.toString("hex")).toBe(
      `ffffffffffff52540000010108060001080006040001${"5254000001010a01000a"}${"0000000000000a01000a"}${"00".repeat(18)}`,
    );
    const port = portFrame(guest).toString("hex");
    expect(port).toBe(
      `ffffffffffff52540000000a80350001080006040003${"52540000000a00000000".repeat(2)}${"00".repeat(18)}`,
    );
    const corrected = correctionFrame({
      ...{ address: "10.1.0.50", mac: "02:00:00:00:00:32", source: home },
      to: { address: "10.1.0.10", mac: guest },
    });
    expect(corrected.toString("hex")).toBe(
      `52540000000a52540000010108060001080006040002${"0200000000320a010032"}${"52540000000a0a01000a"}${"00".repeat(18)}`,
    );
  });

  test("are made of addresses only", () => {
    expect(() => portFrame("ff:ff:ff:ff:ff:ff")).toThrow("not a unicast MAC");
    expect(() => announcementFrame({ address: "10.1.0", mac: home, source: home })).toThrow("IPv4");
  });
});

describe("an announcer", () => {
  let clock: FakeClock;
  let announcer: Announcer;
  let sent: { atMs: number; device: string; frames: string[] }[];
  let isBusy: boolean;
  let fails: boolean;

  beforeEach(() => {
    clock = new FakeClock();
    [sent, isBusy, fails] = [[], false, false];
    announcer = openAnnouncer({
      logger: pino({ level: "silent" }),
      macOf: async () => home,
      isBusy: () => isBusy,
      send: async (device, frames) => {
        const inHex = frames.map((bytes) => bytes.toString("hex"));
        sent.push({ atMs: clock.nowMs, device, frames: inHex });
        if (fails) throw new Error("no such device");
      },
    });
  });

  afterEach(() => {
    announcer[Symbol.dispose]();
    clock[Symbol.dispose]();
  });

  test("announces soon, with growing pauses, then once a minute for as long as it is true", async () => {
    announcer.keep([away]);
    await pass(100, 900);
    const begun = sent.length;
    expect(begun).toBeGreaterThan(7);
    expect(sent[0]?.frames).toEqual([
      announcementFrame({ address: "10.1.0.10", mac: home, source: home }).toString("hex"),
      portFrame(guest).toString("hex"),
    ]);
    await pass(1_000, 600);
    expect(sent.length - begun).toBe(10);
    announcer.keep([]);
    await pass(1_000, 120);
    expect(sent.length - begun).toBe(10);
  });

  test("what is told in passing is told a few times, and takes the place of what was announced before", async () => {
    announcer.keep([away]);
    await pass(100, 50);
    sent.length = 0;
    announcer.keep([]);
    announcer.tell([back]);
    await pass(1_000, 300);
    expect(sent).toHaveLength(6);
    for (const { frames } of sent) expect(frames).toHaveLength(1);
    announcer.keep([away]);
    await pass(100, 11);
    expect(sent.at(-1)?.frames).toHaveLength(2);
  });

  test("nothing is sent while the host is busy, and what failed is tried again", async () => {
    isBusy = true;
    announcer.keep([away]);
    await pass(100, 50);
    expect(sent).toEqual([]);
    [isBusy, fails] = [false, true];
    await pass(100, 50);
    expect(sent.length).toBeGreaterThan(3);
  });

  /** Each step gives what was sent time to be told of. */
  async function pass(stepMs: number, steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      clock.run(stepMs);
      await Promise.resolve().then(() => Promise.resolve());
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
});
