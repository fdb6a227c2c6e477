import { z } from "zod";
import { usageError } from "../platform/errors.ts";
import { derivedUuid, namePattern } from "../platform/names.ts";
import { readToml } from "../platform/toml.ts";
import { guestMigrationSchema } from "./guest-migration.ts";
import { carriedArgumentFault } from "./qemu/command-line/carried-arguments.ts";
import { reservedOption } from "./reserved-options.ts";

/** A path that a guest is defined with. */
export const absolutePath = z
  .string()
  .max(4096)
  .regex(/^\/[^\p{Cc}]*$/u, "not an absolute path");

const disk = z.strictObject({
  path: absolutePath.describe(
    "Storage that both hosts see under this path, a file or a device of /dev; it is not copied",
  ),
  format: z.enum(["raw", "qcow2"]).describe("Of the image"),
  read_only: z.boolean().default(false).describe("Whether the guest may only read it"),
  cache: z
    .enum(["writeback", "none", "directsync"])
    .optional()
    .describe(
      "How writes reach the storage: through the host's page cache (writeback, as without it), past it (none), past it and each at once (directsync)",
    ),
  shared: z
    .boolean()
    .optional()
    .describe(
      "With true, you vouch that hosts see the same storage under this path: it is not proved before a move",
    ),
});

const nic = z.strictObject({
  mac: z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/, "not a unicast MAC address (aa:bb:cc:dd:ee:ff)")
    .describe("Unicast MAC address, the guest's own"),
  addresses: z
    .array(z.cidrv4("not an IPv4 address with a prefix length"))
    .max(16)
    .default([])
    .describe("ADDRESS/LENGTH that the guest uses; one, for a guest that is to move"),
  gateway: z.ipv4("not an IPv4 address").optional().describe("The guest's default gateway"),
});

/**
 * What a guest is made of, as its TOML file and the messages between daemons hold it.
 * Strict: an unknown key is a fault.
 */
export const guestDefinitionSchema = z
  .strictObject({
    name: z
      .string()
      .regex(namePattern, "not a name (letters, digits, '.', '_', '-', at most 63)")
      .describe("As the file's name without .toml"),
    uuid: z
      .guid("not a UUID")
      .toLowerCase()
      .optional()
      .describe("Without it, derived from the name and the first MAC address"),
    memory_mib: z.int().min(16).max(1_048_576).describe("Memory in MiB"),
    vcpus: z.int().min(1).max(255).default(1).describe("Virtual processors"),
    machine: z
      .string()
      .regex(
        /^(pc|q35|pc-(i440fx|q35)-[A-Za-z0-9.+-]{1,40})$/,
        "not pc, q35, or one of them with its version (pc-q35-10.0)",
      )
      .default("pc")
      .describe("QEMU's machine type, with or without its version"),
    accelerator: z
      .enum(["auto", "kvm", "tcg"])
      .default("auto")
      .describe("With auto, KVM where it is usable, else software emulation (tcg)"),
    cpu: z
      .string()
      .max(200)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._,=+-]*$/, "not a CPU model")
      .optional()
      .describe("QEMU's -cpu; one that every host of the guest has"),
    kernel: absolutePath.optional().describe("Kernel that QEMU boots, instead of a disk's"),
    initrd: absolutePath.optional().describe("With kernel: its initial RAM disk"),
    append: z
      .string()
      .max(2000)
      .regex(/^[^\p{Cc}]*$/u, "control characters in it")
      .optional()
      .describe("With kernel: its command line"),
    disks: z.array(disk).max(16).default([]),
    nics: z.array(nic).max(8).default([]),
    extra_arguments: z
      .array(
        z
          .string()
          .max(1000)
          .regex(/^[^\p{Cc}]*$/u, "control characters in it"),
      )
      .max(64)
      .default([])
      .describe("More arguments for QEMU, but for those that Sojourn sets itself"),
    migration: guestMigrationSchema.optional(),
    hypervisor: z
      .literal("libvirt")
      .optional()
      .describe(
        "With libvirt, the guest is the domain of this name or `uuid`, and the other keys only describe it; without it, a QEMU of Sojourn's own",
      ),
    qemu_arguments: z
      .array(z.string().max(8192))
      .max(512)
      .optional()
      .describe(
        "Of an adopted guest: all that makes its machine, in the order of its own command line; the other keys only describe it then",
      ),
  })
  .superRefine((guest, context) => {
    const fault = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message });
    for (const key of ["initrd", "append"] as const) {
      if (guest[key] !== undefined && guest.kernel === undefined) fault([key], "needs a kernel");
    }
    for (const [index, argument] of guest.extra_arguments.entries()) {
      const reserved = reservedOption(argument);
      if (reserved !== null) fault(["extra_arguments", index], `${reserved} is set by Sojourn`);
    }
    const carried = guest.qemu_arguments ?? [];
    const wrong = carriedArgumentFault(carried);
    if (wrong !== null) fault(["qemu_arguments", wrong.index], wrong.message);
    if (guest.qemu_arguments !== undefined && guest.extra_arguments.length > 0) {
      fault(["extra_arguments"], "belong into qemu_arguments");
    }
    for (const index of repeated(guest.nics.map(({ mac }) => mac))) {
      fault(["nics", index, "mac"], "used by another NIC of this guest");
    }
  });

/** A checked guest definition; the keys are those of the file. */
export type GuestDefinition = z.output<typeof guestDefinitionSchema>;

/**
 * Reads a guest definition from TOML text.
 * @throws SojournError `SOJ_GUEST_DEFINITION_INVALID` naming file, line and key path.
 */
export function parseGuestDefinition(tomlText: string, fileName: string): GuestDefinition {
  return readToml(guestDefinitionSchema, tomlText, fileName, "SOJ_GUEST_DEFINITION_INVALID");
}

/**
 * Checks a guest definition that arrived as JSON.
 * @throws SojournError `SOJ_GUEST_DEFINITION_INVALID` naming the key path.
 */
export function guestDefinitionFromJson(value: unknown): GuestDefinition {
  const checked = guestDefinitionSchema.safeParse(value);
  if (checked.success) return checked.data;
  const faults = checked.error.issues
    .slice(0, 10)
    .map(({ path, message }) => `${path.join(".").slice(0, 200)}: ${message.slice(0, 300)}`);
  throw usageError(
    `not a guest definition: ${faults.join("; ")}`,
    undefined,
    "SOJ_GUEST_DEFINITION_INVALID",
  );
}

/** The guest's UUID: its own, or one derived from its name and first MAC (RFC 9562, version 8). */
export function guestUuid(guest: GuestDefinition): string {
  return guest.uuid ?? derivedUuid(`sojourn guest\0${guest.name}\0${guest.nics[0]?.mac ?? ""}`);
}

function repeated(values: readonly string[]): number[] {
  const seen = new Set<string>();
  return values.flatMap((value, index) => (seen.size === seen.add(value).size ? [index] : []));
}
