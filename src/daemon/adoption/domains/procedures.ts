import { z } from "zod";
import { absolutePath } from "../../../hypervisor/definition.ts";
import { definePeerProcedures } from "../../../platform/procedures.ts";
import { hostCpuSchema } from "../host-cpu.ts";

const word = z.string().max(200);

const needsSchema = z.strictObject({
  name: z.string().min(1).max(256),
  uuid: z.guid().toLowerCase(),
  emulator: absolutePath.nullable(),
  architecture: word,
  machine: word,
  virtualization: word,
  /** `<cpu>` as text. */
  cpu: z.string().max(65_536).nullable(),
  paths: z
    .array(z.strictObject({ path: absolutePath, need: z.enum(["there", "folder"]) }))
    .max(256),
});

const outlookSchema = z.object({
  libvirt_version: word,
  qemu_version: word,
  cpu: hostCpuSchema,
  /** Domains there of the same name or UUID. */
  namesakes: z
    .array(z.object({ name: z.string().max(256), uuid: word, is_active: z.boolean() }))
    .max(2),
  missing_paths: z.array(z.string().max(4_096)).max(256),
  /** libvirt's words; null when it can make the machine, or give it the processor. */
  machine_refusal: z.string().max(4_000).nullable(),
  cpu_refusal: z.string().max(4_000).nullable(),
});

/** What a host finds of a domain that may come to it. */
export type HostOutlook = z.output<typeof outlookSchema>;

/** What a host that adopts a domain of libvirt's asks of those that it may go to. */
export const domainProcedures = definePeerProcedures({
  /** Fails with `SOJ_LIBVIRT_DISABLED` where no domain can come. */
  "expect-domain": {
    request: needsSchema,
    response: outlookSchema,
    timeoutMs: 40_000,
  },
});
