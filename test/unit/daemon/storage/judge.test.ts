import { describe, expect, it } from "vitest";
import type { Comparison } from "../../../../src/daemon/storage/compare.ts";
import { judge } from "../../../../src/daemon/storage/judge.ts";
import type { StorageFile } from "../../../../src/hypervisor/storage/file-facts.ts";

const hosts = { here: "host-a", there: "host-b" };

const use: Comparison["use"] = {
  ...{ path: "/images/web1.img", label: "disk 0", kind: "disk", readOnly: false },
  ...{ isVouchedFor: false, usesPageCache: true, ignoresFlush: false },
};
const file: StorageFile = {
  ...{ path: "/images/web1.img", found: "file", reason: null, real: "/images/web1.img" },
  ...{ size_bytes: 4096, inode: "7", filesystem: "gfs2", writable: true, stamp: "" },
  ...{ device: null, marker: null },
};
const seen = { seen: true, lock: "held", answer: "written" } as const;
const placed = { unplaced: null, isLockedHere: true, isAnswered: true };

interface Differences {
  use?: Partial<Comparison["use"]>;
  here?: Partial<StorageFile>;
  there?: Partial<StorageFile>;
  marker?: Partial<Comparison["marker"]>;
  content?: Comparison["content"];
}

/** The verdict on a file that is shared as it should be, but for what differs. */
function verdict(differences: Differences = {}) {
  const { use: used, here, there, marker, content = null } = differences;
  const comparison: Comparison = {
    use: { ...use, ...used },
    here: { ...file, ...here },
    there: { ...file, marker: seen, ...there },
    ...{ marker: { ...placed, ...marker }, content },
  };
  const { level, code, message } = judge(comparison, hosts);
  return [level, code, message];
}

const device = (id: string | null, size_bytes = 512) => ({ id, why: id ? null : "w", size_bytes });
const block = (one: string | null, other: string | null, bytes = 512): Differences => ({
  here: { found: "block", device: device(one) },
  there: { found: "block", device: device(other, bytes) },
});
const boot = { kind: "boot", label: "kernel", readOnly: true } as const;

describe("a file of both hosts", () => {
  it("is fine when each sees what the other writes, and its lock", () => {
    expect(verdict()).toEqual(["fine", null, "seen alike by both hosts"]);
  });

  it.each<[string, Differences, string, RegExp]>([
    ["missing", { there: { found: "missing" } }, "NOT_SHARED", /is not on host-b/],
    ["deleted", { here: { found: "missing" } }, "NOT_SHARED", /not to be found on host-a any more/],
    ["unreadable", { there: { found: "unreadable", reason: "EACCES" } }, "UNUSABLE", /EACCES/],
    ["read-only", { there: { writable: false } }, "UNUSABLE", /cannot be written on host-b/],
    ["a device there", { there: { found: "block" } }, "NOT_SHARED", /a file on host-a and a block/],
    ["a folder", { here: { found: "other" }, there: { found: "other" } }, "UNUSABLE", /neither/],
    ["elsewhere", { there: { marker: { ...seen, seen: false } } }, "NOT_SHARED", /not the same/],
    ["one way", { marker: { isAnswered: false } }, "NOT_SHARED", /does not get to host-a/],
    ["another", { there: { inode: "8", marker: seen } }, "NOT_SHARED", /another file on host-b/],
    ["unlocked there", { there: { marker: { ...seen, lock: "free" } } }, "LOCKS", /does not see/],
    [
      "no locks there",
      { there: { marker: { ...seen, lock: "broken" } } },
      "LOCKS",
      /host-b can lock/,
    ],
    ["no locks here", { marker: { isLockedHere: false } }, "LOCKS", /host-a can lock nothing/],
    [
      "unwritable folder",
      { marker: { unplaced: "EACCES" }, there: { marker: null } },
      "UNPROVEN",
      /EACCES/,
    ],
    ["unsafe", { use: { ignoresFlush: true } }, "CACHE", /unsafe/],
  ])("is refused: %s", (_, differences, code, message) => {
    expect(verdict(differences)).toEqual([
      ...["refuse", `SOJ_DISK_${code}`, expect.stringMatching(message)],
    ]);
  });

  it("is fine where the other host may not write beside it, but its lock is not known", () => {
    const there = { marker: { seen: true, lock: "untried", answer: "denied" } } as const;
    expect(verdict({ there, marker: { isAnswered: false } })).toEqual([
      ...["warn", "SOJ_DISK_LOCKS", expect.stringContaining("is not known")],
    ]);
  });

  it("is warned of in page caches that do not know of each other", () => {
    const here = { filesystem: "nfs" };
    expect(verdict({ here })).toEqual(["warn", "SOJ_DISK_CACHE", expect.stringContaining("nfs")]);
    expect(verdict({ here, use: { usesPageCache: false } })[0]).toBe("fine");
  });

  it("is what the operator says, as long as it is there and can be written", () => {
    const vouched = { isVouchedFor: true };
    const elsewhere = { marker: { ...seen, seen: false } };
    expect(verdict({ use: vouched, there: elsewhere })[0]).toBe("fine");
    expect(verdict({ use: vouched, there: { ...elsewhere, writable: false } })[0]).toBe("refuse");
    expect(verdict({ use: vouched, there: { found: "missing" } })[0]).toBe("refuse");
  });
});

describe("a file that is only read", () => {
  const readOnly = { use: { readOnly: true }, there: { marker: null } };

  it("may be an equal copy", () => {
    const same = { isSame: true, reason: null };
    expect(verdict({ ...readOnly, content: same })).toEqual(["fine", null, "an equal copy"]);
    expect(verdict({ use: { readOnly: true } })[0]).toBe("fine");
  });

  it.each<[string, Differences, string]>([
    ["another size", { there: { size_bytes: 1, marker: null } }, "SOJ_DISK_NOT_SHARED"],
    ["other content", { content: { isSame: false, reason: null } }, "SOJ_DISK_NOT_SHARED"],
    ["unread", { content: { isSame: null, reason: "too long" } }, "SOJ_DISK_UNPROVEN"],
  ])("is refused: %s", (_, differences, code) => {
    expect(verdict({ ...readOnly, ...differences }).slice(0, 2)).toEqual(["refuse", code]);
  });

  it("and booted from is missed only when the guest boots again", () => {
    const use = boot;
    const copy = { there: { marker: null }, use };
    expect(verdict({ use, there: { found: "missing" } }).slice(0, 2)).toEqual([
      ...["refuse", "SOJ_BOOT_FILE"],
    ]);
    expect(verdict({ ...copy, here: { found: "missing" } }).slice(0, 2)).toEqual([
      ...["warn", "SOJ_BOOT_FILE"],
    ]);
    const unread = { isSame: null, reason: "too long" };
    expect(verdict({ ...copy, content: unread })[0]).toBe("warn");
  });
});

describe("a block device", () => {
  it("is the one that has the name", () => {
    expect(verdict(block("naa.1", "naa.1"))[0]).toBe("fine");
  });

  it.each<[string, Differences, string]>([
    ["another name", block("naa.1", "naa.2"), "SOJ_DISK_NOT_SHARED"],
    ["another size", block("naa.1", "naa.1", 1024), "SOJ_DISK_NOT_SHARED"],
    ["another size without names", block(null, null, 1024), "SOJ_DISK_NOT_SHARED"],
    ["no name here", block(null, "naa.1"), "SOJ_DISK_UNPROVEN"],
    ["no name there", block("naa.1", null), "SOJ_DISK_UNPROVEN"],
  ])("is refused: %s", (_, differences, code) => {
    expect(verdict(differences).slice(0, 2)).toEqual(["refuse", code]);
  });
});
