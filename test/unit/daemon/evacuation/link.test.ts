import { expect, it } from "vitest";
import { linkBytesPerSecond } from "../../../../src/daemon/evacuation/link.ts";

const speeds: Record<string, number | null> = { eth0: 125e6, eth1: 1250e6, veth0: null };
const devices: Record<string, string> = { "host-b": "eth0", "host-c": "eth1", "host-d": "veth0" };

function link(to: string[], migration: { linkMbps: number; maxBandwidthMbps: number }) {
  const options = {
    config: { host: { name: "host-a" }, migration },
    routing: {
      routeTo: async (host: string) => ({ device: devices[host] ?? "", sourceAddress: "" }),
      linkSpeed: async (device: string) => speeds[device] ?? null,
    },
    peer: (host: string) => ({
      peer: host,
      call: async () => {
        if (devices[host] === undefined) throw new Error("no answer");
        return { underlay_address: host };
      },
    }),
  };
  return linkBytesPerSecond(options as never, to);
}

it("is what is configured, or else what the slowest device that leads there says", async () => {
  const nothing = { linkMbps: 0, maxBandwidthMbps: 0 };
  expect(await link(["host-b", "host-c"], nothing)).toBe(125e6);
  expect(await link(["host-c", "host-d", "host-z"], nothing)).toBe(1250e6);
  expect(await link(["host-d", "host-z"], nothing)).toBeNull();
  expect(await link(["host-b"], { ...nothing, linkMbps: 80 })).toBe(10e6);
  expect(await link(["host-b"], { linkMbps: 80, maxBandwidthMbps: 40 })).toBe(5e6);
  expect(await link(["host-d"], { ...nothing, maxBandwidthMbps: 40 })).toBe(5e6);
});
