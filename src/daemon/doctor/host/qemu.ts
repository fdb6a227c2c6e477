import { chooseAccelerator } from "../../../hypervisor/qemu/accelerator.ts";
import { qemuFacts } from "../../../hypervisor/qemu/qemu-facts.ts";
import type { DoctorCheck } from "../../services.ts";
import { ok, type Topic, warn } from "../check.ts";

export const qemuTopic: Topic = {
  id: "qemu",
  why: "Guests run in QEMU; a version that is too old loses a migrating guest's memory.",
};

/** @throws SojournError when QEMU is missing, or too old for how guests would run here. */
export async function checkQemu(): Promise<DoctorCheck> {
  const { version, kvm } = await qemuFacts()();
  const accelerator = chooseAccelerator("auto", kvm, version);
  if (accelerator === "kvm") return ok(qemuTopic, `QEMU ${version.text} with KVM`);
  const reason = kvm.usable ? "" : `: ${kvm.reason}`;
  const isMissing = !kvm.usable && kvm.reason.includes("ENOENT");
  return warn(qemuTopic, `QEMU ${version.text}, software emulation${reason}`, {
    hint: "KVM makes guests much faster: enable virtualization in the firmware, or nested in the hypervisor below",
    ...(isMissing ? { mend: "modprobe kvm_intel || modprobe kvm_amd" } : {}),
  });
}
