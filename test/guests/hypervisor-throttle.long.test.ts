import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { firmwareGuest, migrationStatus, QemuHost } from "../support/qemu-host.ts";

const throttle = { initialPercent: 30, incrementPercent: 20, maximumPercent: 60 };
/** Slower than the guest writes. */
const slow = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 1_000_000 };

test("a guest whose passes do not get shorter is slowed, up to the limit, and never after its stream", async () => {
  await using here = await QemuHost.create();
  await using there = await QemuHost.create();
  const path = join(here.runDir, "boot.img");
  await writeFile(path, bootSector());
  const definition = firmwareGuest({ disks: [{ path, format: "raw", read_only: true }] });
  const source = await here.start(definition);
  const destination = await there.startIncoming(definition);
  const percent = async () => (await source.migrationProgress()).throttlePercent;
  const patience = { timeout: 30_000, interval: 100 };

  const { port } = await destination.listenForMigration("127.0.0.1", "host-a");
  await source.prepareOutgoing({ ...slow, throttle });
  await source.migrateTo("127.0.0.1", port, "host-b");
  expect(await percent()).toBeNull();
  await expect.poll(percent, patience).toBe(throttle.initialPercent);
  await expect.poll(percent, patience).toBe(throttle.maximumPercent);

  const cancelled = migrationStatus(source, "cancelled");
  await source.cancelMigration();
  await cancelled;
  expect(await source.runState()).toBe("running");
  expect(await percent()).toBeNull();
});

/** Writes all of the memory from 64 to 576 KiB, over and over (8086). */
function bootSector(): Buffer {
  const program = [
    ...[0xfc, 0xb8, 0x00, 0x10, 0x8e, 0xc0], // cld; mov ax, 0x1000; mov es, ax
    ...[0x31, 0xff, 0xb9, 0x00, 0x80], // next: xor di, di; mov cx, 0x8000
    ...[0x43, 0x89, 0xd8, 0xf3, 0xab], // inc bx; mov ax, bx; rep stosw
    ...[0x8c, 0xc0, 0x05, 0x00, 0x10, 0x3d, 0x00, 0x90], // mov ax, es; add ax, 0x1000; cmp ax, 0x9000
    ...[0x72, 0x03, 0xb8, 0x00, 0x10], // jb +3; mov ax, 0x1000
    ...[0x8e, 0xc0, 0xeb, 0xe5], // mov es, ax; jmp next
  ];
  const sector = Buffer.alloc(512);
  sector.set(program);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
