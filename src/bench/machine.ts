import { cpus, release, totalmem } from "node:os";
import { qemuFacts } from "../hypervisor/qemu/qemu-facts.ts";

/** What figures depend on, so that they are compared with those of the like. */
export interface MachineFacts {
  cpu: string;
  cpus: number;
  memory_mib: number;
  kernel: string;
  /** Null where it cannot be asked. */
  qemu: string | null;
  accelerator: "kvm" | "tcg" | null;
  node: string;
}

/** In a line, for people. */
export function describeMachine(machine: MachineFacts): string {
  const { cpu, cpus, memory_mib, kernel, qemu, accelerator, node } = machine;
  const emulator = `QEMU ${qemu ?? "unknown"}${accelerator === null ? "" : ` (${accelerator})`}`;
  return `${cpu}, ${cpus} processors, ${memory_mib} MiB, Linux ${kernel}, ${emulator}, Node ${node}`;
}

/** Facts of the machine this runs on; never throws. */
export async function machineFacts(): Promise<MachineFacts> {
  const qemu = await qemuFacts()().catch(() => null);
  const processors = cpus();
  return {
    cpu: processors[0]?.model.trim() || "unknown",
    cpus: processors.length,
    memory_mib: Math.round(totalmem() / 1024 / 1024),
    kernel: release(),
    qemu: qemu?.version.text ?? null,
    accelerator: qemu === null ? null : qemu.kvm.usable ? "kvm" : "tcg",
    node: process.version,
  };
}
