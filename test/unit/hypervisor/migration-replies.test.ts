import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { migrateTo, migrationProgress } from "../../../src/hypervisor/qemu/migration.ts";
import {
  migrationPort,
  progressFromReply,
} from "../../../src/hypervisor/qemu/migration-replies.ts";

const active = {
  status: "active",
  ram: {
    total: 67_641_344,
    "dirty-sync-count": 2,
    "page-size": 4096,
    remaining: 51_748_864,
    mbps: 10.5,
    transferred: 239_919,
    "dirty-pages-rate": 100,
  },
};

describe("progressFromReply", () => {
  test("an active migration", () => {
    expect(progressFromReply(active).progress).toEqual({
      status: "active",
      transferredBytes: 239_919,
      remainingBytes: 51_748_864,
      totalBytes: 67_641_344,
      dirtyBytesPerSecond: 409_600,
      bandwidthMbps: 10.5,
      dirtySyncCount: 2,
      throttlePercent: null,
      errorText: null,
    });
  });

  test("nothing was measured before the second pass", () => {
    const first = { ...active, ram: { ...active.ram, "dirty-sync-count": 1 } };
    expect(progressFromReply(first).progress.dirtyBytesPerSecond).toBeNull();
  });

  test("a failure carries QEMU's words; no migration is none", () => {
    const failed = { status: "failed", "error-desc": "Connection refused" };
    expect(progressFromReply(failed).progress.errorText).toBe("Connection refused");
    expect(progressFromReply({}).progress.status).toBe("none");
  });

  test("anything gives figures, never NaN", () => {
    fc.assert(
      fc.property(fc.anything(), (reply) => {
        const { progress } = progressFromReply(reply);
        expect(Object.values(progress)).not.toContain(Number.NaN);
        migrationPort(reply);
      }),
    );
  });
});

test("a completed migration that still holds zeros is read again", async () => {
  const completed = { ...active, status: "completed" };
  const replies = [{ status: "completed", ram: { transferred: 0 } }, completed];
  const progress = await migrationProgress(async () => replies.shift());
  expect(progress).toMatchObject({ status: "completed", transferredBytes: 239_919 });
});

test("the port of an incoming migration", () => {
  const reply = { "socket-address": [{ type: "inet", host: "::", port: "33151" }] };
  expect(migrationPort(reply)).toBe(33_151);
  expect(migrationPort({ "socket-address": [{ type: "unix", path: "/x" }] })).toBeNull();
});

test.each(["host-b", "127.0.0.1,x", "fe80::1%eth0", ""])(
  "%j is not an address to migrate to",
  async (address) => {
    const execute = async () => {
      throw new Error("must not be sent");
    };
    const options = { destinationHost: "host-b", tls: null };
    await expect(migrateTo(execute, address, 1, options)).rejects.toMatchObject({
      code: "SOJ_USAGE",
    });
  },
);
