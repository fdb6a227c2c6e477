import { existsSync } from "node:fs";
import { findTool, runCommand } from "../../platform/command.ts";
import { type KvmSupport, kvmSupport, parseQemuVersion, type QemuVersion } from "./accelerator.ts";

/** What this machine offers. */
export interface QemuFacts {
  binary: string;
  version: QemuVersion & { text: string };
  kvm: KvmSupport;
}

/**
 * Asks once; a failure is not remembered.
 * @throws SojournError `SOJ_TOOL_MISSING`, `SOJ_COMMAND_FAILED`, `SOJ_QEMU_UNKNOWN`
 */
export function qemuFacts(qemuBinary?: string): () => Promise<QemuFacts> {
  let known: Promise<QemuFacts> | null = null;
  return () => {
    known ??= readFacts(qemuBinary).catch((error) => {
      known = null;
      throw error;
    });
    return known;
  };
}

/** Whether a process can wait for pages of its memory (CONFIG_USERFAULTFD; Documentation/admin-guide/mm/userfaultfd.rst). */
export function hasUserfaultfd(): boolean {
  return existsSync("/proc/sys/vm/unprivileged_userfaultfd");
}

async function readFacts(qemuBinary?: string): Promise<QemuFacts> {
  const binary = qemuBinary ?? findTool("qemu-system-x86_64");
  const [{ stdout }, kvm] = await Promise.all([runCommand(binary, ["--version"]), kvmSupport()]);
  return { binary, version: parseQemuVersion(stdout), kvm };
}
