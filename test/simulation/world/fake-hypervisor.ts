import type { GuestDefinition } from "../../../src/hypervisor/definition.ts";
import type { GuestInstance, Hypervisor } from "../../../src/hypervisor/hypervisor.ts";
import { FakeInstance, type InstanceContext } from "./fake-instance.ts";
import type { FakeQemu } from "./fake-qemu.ts";

export interface HypervisorContext extends InstanceContext {
  processesHere(): FakeQemu[];
  startIncoming(definition: GuestDefinition): FakeQemu;
  /** Resolves after some time, if the daemon lives so long. */
  pause(delayMs: number): Promise<void>;
}

/** One daemon's view of its host's hypervisor processes. */
export function fakeHypervisor(context: HypervisorContext): Hypervisor {
  return {
    capabilities: async () => ({ version: "10.0.0", accelerator: "tcg" }),
    start: () => Promise.reject(new Error("guests are there from the beginning")),
    startIncoming: async (definition): Promise<GuestInstance> => {
      await context.pause(context.random.between(2, 40));
      const qemu = context.startIncoming(definition);
      await context.pause(context.random.between(2, 40));
      return new FakeInstance(qemu, context);
    },
    findInstances: async () => {
      await context.pause(context.random.between(1, 20));
      return context.processesHere().map((qemu) => new FakeInstance(qemu, context));
    },
  };
}
