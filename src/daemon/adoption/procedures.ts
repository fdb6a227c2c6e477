import { z } from "zod";
import { guestDefinitionSchema } from "../../hypervisor/definition.ts";
import { definePeerProcedures } from "../../platform/procedures.ts";
import { domainProcedures } from "./domains/procedures.ts";
import { hostCpuSchema } from "./host-cpu.ts";

const rehearsalSchema = z.object({
  /** Of the installed QEMU; null when there is none. */
  qemu_version: z.string().max(200).nullable(),
  cpu: hostCpuSchema,
  has_vhost_net: z.boolean(),
  missing_files: z.array(z.string().max(4_096)).max(64),
  /** Lines of the machine's devices; null when it could not be made. */
  devices: z.array(z.string().max(1_000)).max(5_000).nullable(),
  /** Why not, in QEMU's own words. */
  failure: z.string().max(4_000).nullable(),
});

/** What a host finds when it makes a guest's machine, empty, for a moment. */
export type HostRehearsal = z.output<typeof rehearsalSchema>;

/** What a host that adopts a guest asks of those that it may go to. */
export const adoptionProcedures = definePeerProcedures({
  "rehearse-guest": {
    request: z.strictObject({ definition: guestDefinitionSchema }),
    response: rehearsalSchema,
    timeoutMs: 40_000,
  },
  ...domainProcedures,
});
