import { open, readFile } from "node:fs/promises";
import { preconditionError } from "../../platform/errors.ts";

export type Accelerator = "kvm" | "tcg";

/** Whether hardware virtualization can be used, and if not, why. */
export type KvmSupport = { usable: true } | { usable: false; reason: string };

export interface QemuVersion {
  major: number;
  minor: number;
}

/**
 * KVM counts only when its device opens and the processor says vmx or svm: there are paravirtual
 * `/dev/kvm` devices on which stock kernels hang.
 */
export async function kvmSupport(
  devicePath = "/dev/kvm",
  cpuInfoPath = "/proc/cpuinfo",
): Promise<KvmSupport> {
  try {
    await (await open(devicePath, "r+")).close();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    return { usable: false, reason: `${devicePath} cannot be opened (${reason})` };
  }
  const flags = /^flags\s*:(.*)$/m.exec(await readFile(cpuInfoPath, "utf8"))?.[1] ?? "";
  if (/\b(vmx|svm)\b/.test(flags)) return { usable: true };
  return { usable: false, reason: "the processor's flags hold neither vmx nor svm" };
}

/**
 * The accelerator to use.
 * @throws SojournError `SOJ_KVM_UNAVAILABLE`, or `SOJ_QEMU_TOO_OLD`: KVM needs 7.2, software emulation 9.0
 *   (older ones lose guest memory writes during a migration).
 */
export function chooseAccelerator(
  wanted: "auto" | Accelerator,
  kvm: KvmSupport,
  version: QemuVersion,
): Accelerator {
  if (wanted === "kvm" && !kvm.usable) {
    throw preconditionError("SOJ_KVM_UNAVAILABLE", `KVM is not usable: ${kvm.reason}`, {
      hint: 'use a machine with hardware virtualization, or accelerator = "auto"',
    });
  }
  const accelerator = wanted === "auto" ? (kvm.usable ? "kvm" : "tcg") : wanted;
  const oldest = oldestVersion[accelerator];
  if (version.major * 1000 + version.minor >= oldest.major * 1000 + oldest.minor) {
    return accelerator;
  }
  const why = kvm.usable ? "" : ` (KVM is not usable: ${kvm.reason})`;
  throw preconditionError(
    "SOJ_QEMU_TOO_OLD",
    `QEMU ${version.major}.${version.minor} is too old for ${accelerator}: ${oldest.reason}${why}`,
    { hint: "install a newer QEMU; Debian 12 has one in bookworm-backports" },
  );
}

/** Reads `qemu-system-x86_64 --version`. @throws SojournError `SOJ_QEMU_UNKNOWN` */
export function parseQemuVersion(output: string): QemuVersion & { text: string } {
  const match = /^QEMU emulator version ((\d+)\.(\d+)[^\s(]*)/.exec(output);
  if (match === null) {
    throw preconditionError(
      "SOJ_QEMU_UNKNOWN",
      `not QEMU's version: ${JSON.stringify(output.slice(0, 120))}`,
    );
  }
  return { text: match[1] ?? "", major: Number(match[2]), minor: Number(match[3]) };
}

const oldestVersion: Record<Accelerator, QemuVersion & { reason: string }> = {
  kvm: { major: 7, minor: 2, reason: "7.2 or newer is needed" },
  tcg: {
    major: 9,
    minor: 0,
    reason: "before 9.0 software emulation loses guest memory writes during a migration",
  },
};
