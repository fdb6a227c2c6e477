import { z } from "zod";
import { libvirtDisabledError } from "../hypervisor/host-hypervisors.ts";
import type { Hypervisor, HypervisorKind } from "../hypervisor/hypervisor.ts";
import { clockProcedure } from "../migrator/clock-procedure.ts";
import { hostRoles, refuseAnchor } from "../migrator/host-role.ts";
import type { MaintenanceState } from "../migrator/maintenance.ts";
import { monotonicMs, wallClockMs } from "../platform/clock.ts";
import { preconditionError } from "../platform/errors.ts";
import { definePeerProcedures, type ProcedureHandlers } from "../platform/procedures.ts";
import type { DaemonConfig } from "./config.ts";

/** Hosts that speak different versions refuse one another in `hello`. */
export const protocolVersion = 1;

/** Procedures that every pair of hosts needs before anything else. */
export const baseProcedures = definePeerProcedures({
  ...clockProcedure,
  hello: {
    request: z.strictObject({ protocol_version: z.number().int(), host: z.string() }),
    response: z.object({
      protocol_version: z.number().int(),
      host: z.string(),
      underlay_address: z.ipv4(),
      /** Where guests arrive; absent for the underlay address. */
      migration_address: z.ipv4().optional(),
      guest_subnets: z.array(z.string()).max(256),
      /** Hosts of earlier releases do not say it. */
      role: z.enum(hostRoles).default("host"),
      /** No guest may arrive; hosts of earlier releases do not say it. */
      maintenance: z.boolean().default(false),
    }),
    timeoutMs: 5_000,
  },
  /** Fails as starting a guest would: no QEMU, or one too old; no libvirt for a guest of its. */
  hypervisor: {
    request: z.strictObject({ kind: z.literal("libvirt").optional() }),
    response: z.object({
      version: z.string().max(200),
      accelerator: z.enum(["kvm", "tcg"]),
      stream_tls: z.boolean(),
      /** Guests may arrive by post-copy; hosts of earlier releases do not say it. */
      post_copy: z.boolean().optional(),
    }),
    timeoutMs: 15_000,
  },
});

export function baseHandlers(
  config: DaemonConfig,
  hypervisor: Pick<Hypervisor, "capabilities">,
  maintenance?: MaintenanceState,
): ProcedureHandlers<typeof baseProcedures> {
  return {
    clock: async () => ({ monotonic_ms: monotonicMs(), wall_clock_ms: wallClockMs() }),
    hello: async (request) => {
      if (request.protocol_version !== protocolVersion) {
        throw preconditionError(
          "SOJ_PROTOCOL_VERSION",
          `${config.host.name} speaks peer protocol ${protocolVersion}, ${request.host.slice(0, 63)} speaks ${request.protocol_version}`,
          { hint: "run the same Sojourn version on both hosts" },
        );
      }
      return {
        protocol_version: protocolVersion,
        host: config.host.name,
        underlay_address: config.host.underlayAddress,
        ...(config.migration.address ? { migration_address: config.migration.address } : {}),
        guest_subnets: config.guestNetworks.map((network) => network.subnet),
        role: config.host.role ?? "host",
        maintenance: maintenance?.isOn ?? false,
      };
    },
    hypervisor: async ({ kind }) => {
      refuseAnchor(config.host, "no guest can arrive");
      // Guests of its that are here still may leave; none comes.
      if (kind === "libvirt" && config.libvirt === null)
        throw libvirtDisabledError(config.host.name);
      const { version, accelerator, postCopy } = await hypervisor.capabilities(kind);
      return {
        ...{ version, accelerator, stream_tls: isStreamProtected(config, kind) },
        ...(postCopy === undefined ? {} : { post_copy: postCopy }),
      };
    },
  };
}

/** Whether this host protects the streams of guests of that kind. */
export function isStreamProtected(
  { migration, libvirt }: Pick<DaemonConfig, "migration" | "libvirt">,
  kind: HypervisorKind | undefined,
): boolean {
  return kind === undefined ? migration.tls : (libvirt?.tls ?? migration.tls);
}
