import { z } from "zod";

/** Largest request of a hook: a domain's description, escaped. */
export const maxHookBodyBytes = 2 * 1024 * 1024;

/** What libvirt calls a hook for (https://libvirt.org/hooks.html), as far as anything is decided then. */
export const libvirtHookRequestSchema = z
  .strictObject({
    operation: z
      .enum(["migrate", "prepare"])
      .meta({ description: "`migrate`: the domain is about to arrive; `prepare`: to be started" }),
    domain: z.string().min(1).max(1024).meta({ description: "Name of the domain" }),
    description: z
      .string()
      .min(1)
      .max(1024 * 1024)
      .meta({ description: "The domain's XML, as libvirt hands it to the hook" }),
  })
  .meta({ id: "LibvirtHookRequest" });

/** What the hook answers libvirt. */
export const libvirtHookAnswerSchema = z
  .object({
    verdict: z.enum(["proceed", "refuse"]),
    reason: z.string().nullable().meta({ description: "Of a refusal, for libvirt's caller" }),
    description: z
      .string()
      .nullable()
      .meta({ description: "XML in place of the domain's; null to leave it as it is" }),
  })
  .meta({ id: "LibvirtHookAnswer" });

export type LibvirtHookRequest = z.output<typeof libvirtHookRequestSchema>;
export type LibvirtHookAnswer = z.output<typeof libvirtHookAnswerSchema>;

/** The part of the daemon's services that libvirt's hook asks. */
export interface LibvirtHookServices {
  /** Never throws for a domain that is no guest: libvirt goes on with it as if nobody had asked. */
  answerLibvirtHook(request: LibvirtHookRequest): Promise<LibvirtHookAnswer>;
}

/** libvirt goes on as if nobody had asked. */
export const proceed: LibvirtHookAnswer = { verdict: "proceed", reason: null, description: null };

/** What libvirt is about to do fails with `reason`. */
export function refuse(reason: string): LibvirtHookAnswer {
  return { verdict: "refuse", reason, description: null };
}
