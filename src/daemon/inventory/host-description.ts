import { z } from "zod";
import { hostRoles } from "../../migrator/host-role.ts";
import { definePeerProcedures } from "../../platform/procedures.ts";

const text = z.string().max(400);
const bytes = z.number().nonnegative();

const tunnelSupport = z.object({
  kind: z.string().max(32),
  datapath: z.string().max(32),
  supported: z.boolean(),
  reason: text.nullable().describe("Why not; null when it is"),
});

const problem = z.object({ code: z.string().max(64), message: text });

/** What a host says of itself. */
export const hostDescriptionSchema = z.object({
  host: z.string().max(63),
  underlay_address: z.ipv4(),
  guest_subnets: z.array(z.string().max(32)).max(256),
  role: z
    .enum(hostRoles)
    .default("host")
    .describe("`anchor`: it runs no guests, and owns addresses of guests that run at other hosts"),
  maintenance: z
    .exactOptional(z.boolean())
    .describe("No guest starts or arrives there; absent of hosts that do not tell"),
  versions: z.object({
    sojourn: text,
    protocol: z.int(),
    qemu: text.nullable().describe("Null where QEMU is missing or of no use; `problems` says why"),
    kernel: text,
  }),
  capacity: z.object({
    cpus: z.int().nonnegative(),
    memory_total_bytes: bytes,
    memory_available_bytes: bytes.describe(
      "What can be had without swapping (MemAvailable, proc(5))",
    ),
    accelerator: z.enum(["kvm", "tcg"]).nullable(),
    guests_running: z.int().nonnegative(),
    guests_memory_bytes: bytes.describe("As the running guests are defined"),
    guests_vcpus: z.int().nonnegative(),
  }),
  tunnels: z.array(tunnelSupport).max(64),
  problems: z
    .array(problem)
    .max(100)
    .describe("What keeps this host from receiving guests, or needs an operator"),
});

export type HostDescription = z.output<typeof hostDescriptionSchema>;

/** How long a host waits for another's description (ms). */
export const descriptionPatienceMs = 3_000;

/** Optional: a host of an earlier release does not know it. */
export const hostProcedures = definePeerProcedures({
  "describe-host": {
    request: z.strictObject({}),
    response: hostDescriptionSchema,
    timeoutMs: descriptionPatienceMs,
  },
});
