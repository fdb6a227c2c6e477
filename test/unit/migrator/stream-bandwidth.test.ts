import { describe, expect, test } from "vitest";
import type { MigrationProgress, OutgoingParameters } from "../../../src/hypervisor/hypervisor.ts";
import { StreamBandwidth } from "../../../src/migrator/stream-bandwidth.ts";
import { delay } from "../../../src/platform/clock.ts";

const signal = new AbortController().signal;

/** What a stream is told, and what it has carried. */
function stream(options: { fails?: boolean; slow?: boolean } = {}) {
  const told: number[] = [];
  const state = { transferredBytes: 0, fails: options.fails ?? false, readings: 0 };
  const instance = {
    async setOutgoingParameters(parameters: Partial<OutgoingParameters>) {
      if (options.slow) await delay(told.length === 0 ? 20 : 1);
      if (state.fails) throw new Error("no answer");
      told.push(parameters.maxBandwidthBytesPerSecond ?? Number.NaN);
    },
    async migrationProgress() {
      state.readings += 1;
      return { transferredBytes: state.transferredBytes } as MigrationProgress;
    },
  };
  return { bandwidth: new StreamBandwidth(instance, 0), told, state };
}

describe("a stream's bandwidth", () => {
  test("is the smaller of what its pace wants and what others leave it", async () => {
    const { bandwidth, told } = stream();
    await bandwidth.limitTo(500);
    await bandwidth.set(200);
    await bandwidth.limitTo(100);
    await bandwidth.set(1000);
    await bandwidth.limitTo(null);
    await bandwidth.set(0);
    expect(told).toEqual([500, 200, 100, 1000, 0]);
  });

  test("is told only when it is another, or somebody else has told QEMU meanwhile", async () => {
    const { bandwidth, told } = stream();
    await bandwidth.set(0);
    await bandwidth.limitTo(null);
    expect(told).toEqual([]);
    bandwidth.forget();
    await bandwidth.set(0);
    expect(told).toEqual([0]);
  });

  test("is never 0, which means unlimited to QEMU, however little others leave", async () => {
    const { bandwidth, told } = stream();
    await bandwidth.limitTo(0.01);
    expect(told).toEqual([1]);
  });

  test("is in the end what was asked for last", async () => {
    const { bandwidth, told } = stream({ slow: true });
    await Promise.all([bandwidth.limitTo(500), bandwidth.limitTo(100), bandwidth.limitTo(null)]);
    expect(told.at(-1) ?? 0).toBe(0);
  });

  test("is told again after an order of which nobody knows the outcome", async () => {
    const { bandwidth, told, state } = stream({ fails: true });
    await expect(bandwidth.limitTo(500)).rejects.toThrow("no answer");
    state.fails = false;
    await bandwidth.limitTo(500);
    expect(told).toEqual([500]);
  });
});

describe("lifted before the stop", () => {
  test("a limited stream is waited for until it goes on", async () => {
    const { bandwidth, told, state } = stream();
    await bandwidth.limitTo(500);
    let isLifted = false;
    const lifted = bandwidth.lift(signal).then(() => {
      isLifted = true;
    });
    await delay(30);
    expect(isLifted).toBe(false);
    state.transferredBytes = 1;
    await lifted;
    expect(told).toEqual([500, 0]);
  });

  test("one that has nothing to send is waited for no longer than QEMU sleeps", async () => {
    const { bandwidth, state } = stream();
    await bandwidth.limitTo(500);
    await bandwidth.lift(signal);
    expect(state.readings).toBeGreaterThan(1);
  });

  test("one that was not limited, or is slower for its pace, is not waited for", async () => {
    const { bandwidth, told, state } = stream();
    await bandwidth.lift(signal);
    await bandwidth.set(100);
    await bandwidth.limitTo(500);
    await bandwidth.lift(signal);
    expect(told).toEqual([100]);
    expect(state.readings).toBe(0);
  });
});
