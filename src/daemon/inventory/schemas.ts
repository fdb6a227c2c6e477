import { z } from "zod";
import { type FlowPath, flowPathNames } from "../../migrator/flow-path.ts";
import { hostDescriptionSchema } from "./host-description.ts";

const count = z.int().nonnegative();
const described = hostDescriptionSchema.shape;

/** A host as this one knows it. What the host itself has to tell is null where it was not told. */
export const hostSummarySchema = z
  .object({
    name: z.string(),
    address: z.string().describe("Its peer API, ADDRESS:PORT"),
    local: z.boolean().describe("True for the host that answers"),
    reachable: z.boolean(),
    health: z
      .enum(["ok", "degraded", "unknown", "unreachable"])
      .describe("`unknown`: it answers, but is of a release that does not tell"),
    since_ms: z
      .number()
      .describe(
        "Since when `reachable` is what it is, as this daemon has seen it; milliseconds since 1970",
      ),
    /** Why it could not be asked; null when it could. */
    error: z
      .object({ code: z.string(), message: z.string(), hint: z.string().nullable() })
      .nullable(),
    underlay_address: z.string().nullable(),
    guest_subnets: described.guest_subnets.nullable(),
    role: described.role
      .unwrap()
      .nullable()
      .describe(
        "What it is for: `host` runs guests, `anchor` owns addresses of guests that run at hosts",
      ),
    maintenance: described.maintenance,
    versions: z.object({
      sojourn: z.string().nullable(),
      protocol: z.int().nullable(),
      qemu: z.string().nullable(),
      kernel: z.string().nullable(),
    }),
    capacity: described.capacity.nullable(),
    tunnels: described.tunnels.nullable(),
    problems: described.problems,
  })
  .meta({ id: "Host" });

export type HostSummary = z.output<typeof hostSummarySchema>;

const traffic = z.object({ packets: count, bytes: count });

/** A tunnel of ours on this host: what the guests' records ask for beside what the kernel has. */
export const tunnelSummarySchema = z
  .object({
    interface: z.string(),
    kind: z.string(),
    datapath: z.enum(["kernel", "bpf"]).nullable(),
    local_address: z.string().nullable(),
    remote_address: z.string().nullable(),
    remote_host: z.string().nullable().describe("Null where no guest's record tells"),
    mtu: count.nullable().describe("Largest inner packet in bytes, as wanted"),
    guests: z.array(z.string()).describe("Guests whose traffic it carries"),
    wanted: z.boolean(),
    state: z
      .enum(["ok", "missing", "down", "wrong-mtu", "unwanted"])
      .describe("`unwanted`: it is there, and no guest needs it (any more)"),
    sent: traffic
      .nullable()
      .describe(
        "Null where it does not exist; `received` also where the kernel does not count it (the BPF data path)",
      ),
    received: traffic.nullable(),
  })
  .meta({ id: "Tunnel" });

export type TunnelSummary = z.output<typeof tunnelSummarySchema>;

/** A flow of a guest's address that this host's kernel tracks. Ends are `ADDRESS:PORT`, without ports `ADDRESS`. */
export const flowSummarySchema = z
  .object({
    id: z
      .string()
      .describe(
        "The kernel's number of it, with an ending where two have the same; what a list is sorted by",
      ),
    host: z.string().describe("Whose kernel tells of it"),
    guest_name: z.string(),
    protocol: z.enum(["tcp", "udp", "icmp", "sctp", "gre", "other"]),
    protocol_number: z.int().describe("IANA's number of the protocol"),
    peer: z.string().describe("The other end, as the guest sees it: ADDRESS:PORT, or ADDRESS"),
    guest: z.string().describe("The guest's own end, as it sees it: ADDRESS:PORT, or ADDRESS"),
    direction: z.enum(["in", "out"]).describe("Who began it: a peer (`in`) or the guest (`out`)"),
    state: z
      .string()
      .nullable()
      .describe(
        "As the kernel calls it where the protocol has states (TCP, SCTP); of others `REPLIED` once packets went both ways, before that `UNREPLIED`; null where hardware carries the flow and the kernel does not know",
      ),
    established: z
      .boolean()
      .describe("TCP past its handshake and before its end; others once packets went both ways"),
    path: z
      .enum(flowPathNames)
      .describe("`redirect`: its packets pass the guest's home, and the guest is elsewhere"),
    age_s: count
      .nullable()
      .describe(
        "Since this host's kernel tracks it, which it may do from its middle on; null unless the kernel notes that (net.netfilter.nf_conntrack_timestamp)",
      ),
    idle_s: count.describe(
      "For how long nothing has come either way: observed where the flow has been watched, else estimated from the kernel's time-outs, or, where these tell nothing, since it was first seen here",
    ),
    icmp: z
      .object({ type: z.int(), code: z.int(), id: z.int() })
      .nullable()
      .describe("Type and code of the first message, and its identifier; null for other protocols"),
    nat: z
      .array(
        z.object({ kind: z.enum(["source", "destination"]), from: z.string(), to: z.string() }),
      )
      .describe(
        "`source`: the beginner's end is another one for its peer; `destination`: it asked for another end",
      ),
    sent: traffic
      .nullable()
      .describe(
        "From and to the guest; null unless the kernel counts (net.netfilter.nf_conntrack_acct)",
      ),
    received: traffic.nullable(),
    expires_s: count
      .nullable()
      .describe("Until the kernel forgets it if nothing comes; null for one that hardware carries"),
  })
  .meta({ id: "Flow" });

export type FlowSummary = z.output<typeof flowSummarySchema>;

export interface FlowQuery {
  /** Also TCP's that are over and only remembered, or were never answered. */
  all?: boolean;
  /** Only those that take this way. */
  path?: FlowPath;
}

/** What this host can tell of itself, its peers and its guests' network. */
export interface InventoryServices {
  /** This host and its peers, by name. */
  listHosts(): Promise<HostSummary[]>;
  showHost(name: string): Promise<HostSummary>;
  listTunnels(): Promise<TunnelSummary[]>;
  /**
   * A guest's flows that pass this host and need their way, by their id.
   * @throws SojournError `SOJ_FLOWS_UNTRACKED` where the kernel tracks none; `SOJ_GUEST_UNKNOWN`,
   *   `SOJ_GUEST_DEPARTED` on hosts that its flows do not pass.
   */
  listFlows(guest: string, query?: FlowQuery): Promise<FlowSummary[]>;
}
