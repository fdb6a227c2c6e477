import { describe, expect, test } from "vitest";
import type { ShareRules } from "../../../src/migrator/guest-share.ts";
import type { SharedStream } from "../../../src/migrator/guest-share-link.ts";
import { GuestShares } from "../../../src/migrator/guest-share-links.ts";
import { delay, monotonicMs } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";

const capacity = 25e6;

/** A host whose device sends at a rate since it was made (bytes per second); streams are in it. */
function host(options: { configured?: number; speed?: number | null; rate?: number } = {}) {
  const beganMs = monotonicMs();
  const state = { device: "eth0", isGone: false, counted: 0 };
  const shares = new GuestShares(
    {
      routeTo: async () => ({ device: state.device, sourceAddress: "172.16.1.2" }),
      linkCounters: async () => {
        state.counted += 1;
        const txBytes = (options.rate ?? capacity) * ((monotonicMs() - beganMs) / 1000);
        return state.isGone ? null : { txPackets: 0, txDropped: 0, txBytes };
      },
      linkSpeed: async () => options.speed ?? null,
    },
    ...([options.configured ?? 0, createLogger("silent")] as const),
  );
  return { shares, state };
}

function stream(guestShare: number, rules: Partial<ShareRules> = {}) {
  const told: (number | null)[] = [];
  const shared: SharedStream = {
    toAddress: "172.16.2.2",
    rules: { guestShare, maxBandwidth: 0, ...rules },
    sentBytes: async () => 0,
    limitTo: async (bytesPerSecond) => void told.push(bytesPerSecond),
  };
  return { shared, told };
}

/** Of the capacity, with the headers that a byte of memory needs on the wire. */
const part = (bytesPerSecond: number | null | undefined) =>
  ((bytesPerSecond ?? Number.NaN) * 1.05) / capacity;

describe("streams of a host", () => {
  test("have what the guests' share leaves of a link that is full, from the first moment on", async () => {
    const { shares } = host({ configured: capacity });
    const before = await shares.look("172.16.2.2");
    await delay(60);
    const { shared, told } = stream(0.75);
    using _joined = await shares.join(shared, before);
    expect(part(told[0])).toBeCloseTo(0.25, 2);
  });

  test("share it in equal parts where they leave through one device, the larger guest share counting", async () => {
    const { shares, state } = host({ speed: capacity });
    const [one, other, elsewhere] = [stream(0.5), stream(0.75), stream(0.5)];
    using _one = await shares.join(one.shared, null);
    using _other = await shares.join(other.shared, null);
    state.device = "eth1";
    using _elsewhere = await shares.join(elsewhere.shared, null);
    await delay(500);
    expect(part(one.told.at(-1))).toBeCloseTo(0.125, 2);
    expect(part(other.told.at(-1))).toBeCloseTo(0.125, 2);
    expect(part(elsewhere.told.at(-1))).toBeCloseTo(0.5, 2);
  });

  test("are told nothing any more once they have left, and nothing is counted for nobody", async () => {
    const { shares, state } = host({ configured: capacity });
    const { shared, told } = stream(0.5);
    (await shares.join(shared, null))[Symbol.dispose]();
    await delay(250);
    const [orders, counted] = [told.length, state.counted];
    await delay(450);
    expect([told.length, state.counted]).toEqual([orders, counted]);
  });

  test("are not limited where nobody knows the capacity and nobody suffers", async () => {
    const { shares } = host();
    const { shared, told } = stream(0.5);
    using _joined = await shares.join(shared, null);
    await delay(500);
    expect(told).toEqual([null]);
  });

  test("go on where the device is gone, the monitor is silent, or nothing can be counted at all", async () => {
    const { shares, state } = host({ configured: capacity });
    const { shared } = stream(0.5);
    const silent = {
      ...shared,
      limitTo: () => Promise.reject(new Error("no answer")),
      sentBytes: () => Promise.reject(new Error("no answer")),
    };
    using _joined = await shares.join(silent, null);
    await delay(250);
    state.isGone = true;
    expect(await shares.look("172.16.2.2")).toBeNull();
    using _nothing = await shares.join(shared, null);
    await delay(250);
  });
});
