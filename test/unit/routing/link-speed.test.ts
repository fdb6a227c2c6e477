import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readLinkSpeed } from "../../../src/routing/link-speed.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "link-speed-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function device(name: string, speed: string, entries: readonly string[] = []): void {
  for (const entry of ["", ...entries]) mkdirSync(join(folder, name, entry), { recursive: true });
  writeFileSync(join(folder, name, "speed"), speed);
}

const speedOf = (name: string) => readLinkSpeed(name, folder);

test("is what the hardware says, also through what stands on it", async () => {
  device("eth0", "1000\n", ["device"]);
  device("bond0", "2000\n", ["lower_eth0"]);
  device("bond0.7", "2000\n", ["lower_bond0"]);
  expect(await speedOf("eth0")).toBe(125e6);
  expect(await speedOf("bond0.7")).toBe(250e6);
});

test("is not known without hardware, or where it does not say", async () => {
  device("veth0", "10000\n");
  device("guests0", "10000\n", ["lower_veth0"]);
  device("virtio", "-1\n", ["device"]);
  device("old", "4294967295\n", ["device"]);
  device("down", "", ["device"]);
  for (const name of ["veth0", "guests0", "virtio", "old", "down", "absent"]) {
    expect(await speedOf(name), name).toBeNull();
  }
});

test("devices that stand on each other end the search", async () => {
  device("a", "1000\n", ["lower_b"]);
  device("b", "1000\n", ["lower_a"]);
  expect(await speedOf("a")).toBeNull();
});
