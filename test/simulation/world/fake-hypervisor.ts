import type { GuestDefinition } from "../../../src/hypervisor/definition.ts";
import type { GuestInstance, Hypervisor } from "../../../src/hypervisor/hypervisor.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { FakeDomain } from "./fake-domain.ts";
import { FakeInstance, type InstanceContext } from "./fake-instance.ts";
import type { FakeLibvirtd } from "./fake-libvirtd.ts";
import type { FakeQemu } from "./fake-qemu.ts";

export interface HypervisorContext extends InstanceContext {
  processesHere(): FakeQemu[];
  startIncoming(definition: GuestDefinition): FakeQemu;
  /** Resolves after some time, if the daemon lives so long. */
  pause(delayMs: number): Promise<void>;
  /** The host's, where guests are its domains. */
  libvirtd: FakeLibvirtd | null;
}

/** One daemon's view of its host's hypervisor processes. */
export function fakeHypervisor(context: HypervisorContext): Hypervisor {
  const { libvirtd } = context;
  const connect = (qemu: FakeQemu) =>
    libvirtd === null
      ? new FakeInstance(qemu, context)
      : new FakeDomain(qemu, { ...context, libvirtd });
  return {
    capabilities: async () => ({ version: "10.0.0", accelerator: "tcg", postCopy: true }),
    start: () => Promise.reject(new Error("guests are there from the beginning")),
    startIncoming: async (definition, _nics, offer): Promise<GuestInstance> => {
      await context.pause(context.random.between(2, 40));
      if (libvirtd !== null && (offer === undefined || !libvirtd.isUp)) {
        throw new SojournError("SOJ_HYPERVISOR_REFUSED", "libvirt refuses to prepare", {});
      }
      const qemu = context.startIncoming(definition);
      qemu.preparedBy = libvirtd?.connect(context.process) ?? null;
      await context.pause(context.random.between(2, 40));
      return connect(qemu);
    },
    findInstances: async () => {
      await context.pause(context.random.between(1, 20));
      return context.processesHere().map(connect);
    },
  };
}
