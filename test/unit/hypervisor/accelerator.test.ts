import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  chooseAccelerator,
  kvmSupport,
  parseQemuVersion,
} from "../../../src/hypervisor/qemu/accelerator.ts";

const usable = { usable: true } as const;
const unusable = { usable: false, reason: "no such thing" } as const;
const version = (text: string) => parseQemuVersion(`QEMU emulator version ${text} (Debian 1:1)`);

describe("chooseAccelerator", () => {
  test.each([
    ["auto", usable, "7.2.22", "kvm"],
    ["auto", unusable, "10.0.2", "tcg"],
    ["tcg", usable, "9.0.0", "tcg"],
    ["kvm", usable, "10.0.2", "kvm"],
  ] as const)("%s", (wanted, kvm, text, expected) => {
    expect(chooseAccelerator(wanted, kvm, version(text))).toBe(expected);
  });

  test.each([
    ["auto", unusable, "7.2.22", "SOJ_QEMU_TOO_OLD", /loses guest memory.*no such thing/],
    ["tcg", usable, "8.2.0", "SOJ_QEMU_TOO_OLD", /before 9\.0/],
    ["kvm", usable, "7.1.0", "SOJ_QEMU_TOO_OLD", /7\.2 or newer/],
    ["kvm", unusable, "10.0.2", "SOJ_KVM_UNAVAILABLE", /no such thing/],
  ] as const)("%s is refused with the reason", (wanted, kvm, text, code, message) => {
    expect(() => chooseAccelerator(wanted, kvm, version(text))).toThrow(
      expect.objectContaining({ code, exitCode: 3, message: expect.stringMatching(message) }),
    );
  });

  test("what is not QEMU has no version", () => {
    expect(() => parseQemuVersion("GNU bash")).toThrow(/not QEMU's version/);
  });
});

describe("kvmSupport", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kvm-"));
    await writeFile(join(folder, "device"), "");
    await writeFile(join(folder, "with"), "processor : 0\nflags\t\t: fpu vmx sse\n");
    await writeFile(join(folder, "without"), "processor : 0\nflags\t\t: fpu svmx sse\nbugs: vmx\n");
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("needs the device and the processor's flag", async () => {
    const support = (device: string, flags: string) =>
      kvmSupport(join(folder, device), join(folder, flags));
    expect(await support("device", "with")).toEqual({ usable: true });
    expect(await support("device", "without")).toMatchObject({ usable: false });
    expect(await support("missing", "with")).toEqual({
      usable: false,
      reason: expect.stringContaining("ENOENT"),
    });
  });
});
