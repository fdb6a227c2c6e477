import { z } from "zod";
import { nameSchema } from "../api/schemas/names.ts";

const hostText = z.string().min(1).max(100);

/** What is wished for: a running QEMU, or a domain of libvirt's, becomes a guest. */
export const adoptionRequestSchema = z
  .strictObject({
    name: nameSchema,
    qmp: z
      .string()
      .max(107)
      .regex(/^\/[^\p{Cc}]*$/u, "not an absolute path")
      .optional()
      .meta({ description: "Its QMP socket, absolute; without it the process's own free one" }),
    pid: z.int().min(2).max(4_194_304).optional().meta({
      description: "Its process; without it the one that listens on `qmp`",
    }),
    libvirt: z
      .strictObject({
        domain: z.string().min(1).max(256).optional().meta({
          description: "Name or UUID; without it the domain that has the guest's name",
        }),
      })
      .optional()
      .meta({ description: "It is a running domain of libvirt's, and remains one" }),
    nic: z
      .array(z.string().max(64))
      .max(8)
      .optional()
      .meta({ description: "ADDRESS/LENGTH or ADDRESS/LENGTH@MAC of its NIC, where not known" }),
    to: z
      .array(hostText)
      .max(32)
      .optional()
      .meta({ description: "Peers that it must be able to go to; without it, any one of all" }),
    shared_disks: z.boolean().optional().meta({
      description: "You vouch that hosts see the same storage under its disks' paths",
    }),
    dry_run: z.boolean().optional().meta({ description: "Only proposes and checks" }),
  })
  .meta({
    id: "AdoptionRequest",
    examples: [{ name: "web9", qmp: "/run/web9.qmp", dry_run: true }],
  });

/** What was found of one thing on one host. */
export const adoptionCheckSchema = z.object({
  host: z.string(),
  subject: z.string().meta({ description: "`process`, `command line`, `network`, `machine`, …" }),
  result: z.enum(["ok", "warn", "fail"]),
  detail: z.string(),
});

/** A running QEMU, or a domain of libvirt's, as the guest that it would be, or has become. */
export const adoptionSchema = z
  .object({
    type: z.literal("adoption"),
    guest: z.string(),
    adopted: z.boolean().meta({ description: "False for a dry run" }),
    possible: z.boolean().meta({ description: "False when a check has failed" }),
    pid: z.int().meta({ description: "0 for a domain whose process libvirt does not tell" }),
    monitor: z.string().meta({ description: "Of a domain: libvirt's socket" }),
    domain: z.string().optional().meta({ description: "UUID of a domain of libvirt's" }),
    tap: z.string(),
    bridge: z.string(),
    definition: z.string().meta({ description: "The text of its definition's file (TOML)" }),
    checks: z.array(adoptionCheckSchema),
  })
  .meta({ id: "Adoption" });

/** A guest that is none any more. */
export const releaseSchema = z
  .object({ guest: z.string(), released: z.literal(true), pid: z.int() })
  .meta({ id: "Release" });

export type Release = z.output<typeof releaseSchema>;
export type AdoptionRequest = z.input<typeof adoptionRequestSchema>;
export type AdoptionCheck = z.output<typeof adoptionCheckSchema>;
export type AdoptionResult = z.output<typeof adoptionSchema>;

/** The part of the daemon's services that is about adoption. */
export interface AdoptionServices {
  /**
   * Makes a running QEMU, or a domain of libvirt's, a guest of this host, or with `dry_run` only says what would be made and whether it could move.
   * @throws SojournError `SOJ_ADOPTION_REFUSED` with every reason
   */
  adoptGuest(request: AdoptionRequest): Promise<AdoptionResult>;
  /** Forgets an adopted guest, which runs on. @throws SojournError `SOJ_NOT_ADOPTED` */
  releaseGuest(name: string): Promise<Release>;
}
