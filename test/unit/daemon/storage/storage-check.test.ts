import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DigestMemory } from "../../../../src/daemon/storage/host-storage.ts";
import type { storageProcedures } from "../../../../src/daemon/storage/procedures.ts";
import { requireStorage } from "../../../../src/daemon/storage/storage-check.ts";
import { guestDefinitionFromJson } from "../../../../src/hypervisor/definition.ts";
import type { OpenFile } from "../../../../src/hypervisor/hypervisor.ts";
import { preconditionError, SojournError } from "../../../../src/platform/errors.ts";
import type { PeerCaller } from "../../../../src/platform/procedures.ts";
import { temporaryFolder } from "../../migrator/support.ts";
import { sameMachine } from "./same-machine.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const at = (name: string) => join(folder.path, name);

type Peer = PeerCaller<typeof storageProcedures>;

function failing(error: Error): Peer {
  return {
    peer: "host-b",
    call: async () => {
      throw error;
    },
  };
}

const oldPeer = () =>
  failing(new SojournError("SOJ_UNKNOWN_PROCEDURE", "there is no procedure look-at-storage"));

function definition(more: Record<string, unknown>) {
  return guestDefinitionFromJson({ name: "web1", memory_mib: 64, ...more });
}

function openFile(path: string, more: Partial<OpenFile> = {}): OpenFile {
  return {
    ...{ path, disk: 0, readOnly: false, usesPageCache: false, ignoresFlush: false },
    ...more,
  };
}

function check(guest: ReturnType<typeof definition>, files: OpenFile[], peer: Peer) {
  const options = { host: "host-a", peer, digests: new DigestMemory() };
  return requireStorage(guest, { files, replacedDisks: [] }, options);
}

describe("a guest that is to move", () => {
  it("finds disk, kernel and images below where both hosts are one, and leaves nothing there", async () => {
    for (const name of ["disk.img", "below.img", "vmlinuz"]) writeFileSync(at(name), name);
    const guest = definition({
      kernel: at("vmlinuz"),
      disks: [{ path: at("disk.img"), format: "qcow2" }],
    });
    const files = [openFile(at("disk.img")), openFile(at("below.img"), { readOnly: true })];
    expect(await check(guest, files, sameMachine())).toEqual([]);
    await expect
      .poll(() => readdirSync(folder.path).toSorted())
      .toEqual(["below.img", "disk.img", "vmlinuz"]);
  });

  it("is refused, with every file that is in the way", async () => {
    mkdirSync(at("folder"));
    const guest = definition({ disks: [{ path: at("disk.img"), format: "raw" }] });
    const files = [openFile(at("disk.img")), openFile(at("folder"), { disk: null })];
    await expect(check(guest, files, sameMachine())).rejects.toMatchObject({
      ...{ code: "SOJ_DISK_NOT_SHARED", exitCode: 3, guestState: "untouched" },
      message: `web1: disk 0 (${at("disk.img")}) is not on host-b; storage (${at("folder")}) is neither a file nor a block device`,
    });
  });

  it("is refused when it runs from another image than its definition's", async () => {
    const guest = definition({ disks: [{ path: at("disk.img"), format: "raw" }] });
    const options = { host: "host-a", peer: sameMachine(), digests: new DigestMemory() };
    await expect(
      requireStorage(guest, { files: [], replacedDisks: [0] }, options),
    ).rejects.toMatchObject({ code: "SOJ_DISK_REPLACED", exitCode: 3 });
  });

  it("is refused storage without a name that another host understands", async () => {
    await expect(
      check(definition({}), [openFile("disk.img")], sameMachine()),
    ).rejects.toMatchObject({ code: "SOJ_DISK_UNPROVEN" });
  });

  it("goes to a host of an earlier release without disks, or with the operator's word", async () => {
    writeFileSync(at("disk.img"), "");
    writeFileSync(at("vmlinuz"), "");
    expect(await check(definition({ kernel: at("vmlinuz") }), [], oldPeer())).toEqual([]);
    const disk = { path: at("disk.img"), format: "raw" };
    const files = [openFile(at("disk.img"))];
    await expect(check(definition({ disks: [disk] }), files, oldPeer())).rejects.toMatchObject({
      code: "SOJ_DISK_UNPROVEN",
      message: expect.stringContaining("host-b runs an earlier release"),
    });
    const vouched = definition({ disks: [{ ...disk, shared: true }] });
    expect(await check(vouched, files, oldPeer())).toEqual([]);
  });

  it("is told on which host storage hangs", async () => {
    writeFileSync(at("vmlinuz"), "");
    const hangs = failing(preconditionError("SOJ_STORAGE_SILENT", "/mnt/x did not answer"));
    await expect(check(definition({ kernel: at("vmlinuz") }), [], hangs)).rejects.toMatchObject({
      ...{ code: "SOJ_STORAGE_SILENT", exitCode: 3, retryable: true },
      message: "on host-b: /mnt/x did not answer",
    });
    expect(existsSync(at("vmlinuz"))).toBe(true);
  });
});
