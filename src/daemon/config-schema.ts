import { z } from "zod";
import { guestShareSchema, policyNames } from "../hypervisor/guest-migration.ts";
import { hostRoles } from "../migrator/host-role.ts";
import { addressNumber, subnetOf } from "../migrator/subnet.ts";
import { apiSection } from "./access/config.ts";
import { absolutePath, configuredName } from "./config-values.ts";
import { dnsSection } from "./dns/config.ts";
import { gatesSection } from "./gates/config.ts";
import { hooksSection, webhookSections } from "./hooks/config.ts";

const ipv4 = z.ipv4("not an IPv4 address");
const interfaceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/, "not an interface name");
const endpoint = z.string().refine(isEndpoint, "not ADDRESS:PORT with an IPv4 address");
const subnet = z.string().refine(isSubnet, "not a subnet (ADDRESS/LENGTH, host bits zero)");

const guestNetwork = z
  .strictObject({
    subnet: subnet.describe("ADDRESS/LENGTH whose guests are at home on this host"),
    gateway: ipv4.describe(
      "The guests' default gateway: an address of the bridge, or with `port` another machine's",
    ),
    bridge: interfaceName.describe("The bridge that taps of these guests are put into"),
    port: interfaceName
      .optional()
      .describe(
        "The bridge's port towards the LAN that these guests are on, whose router is their gateway (docs/bridged.md); without it this host is their gateway",
      ),
  })
  .refine(gatewayInSubnet, { path: ["gateway"], message: "not an address of the subnet" });

const paths = z.strictObject({
  state: absolutePath
    .default("/var/lib/sojourn")
    .describe("Journal, places of guests, history, spool of hooks; survives restarts"),
  run: absolutePath
    .max(90, "too long for a socket's path")
    .default("/run/sojourn")
    .describe("The daemon's socket, and sockets and logs of the guests that run"),
  guests: absolutePath
    .default("/etc/sojourn/guests")
    .describe("Definitions of guests that are at home here, one NAME.toml each"),
});

const portRange = z
  .string()
  .regex(/^[0-9]{1,5}-[0-9]{1,5}$/, "not FIRST-LAST")
  .transform((text) => {
    const [first = 0, last = 0] = text.split("-").map(Number);
    return { first, last };
  })
  .refine(({ first, last }) => first >= 1024 && first <= last && last <= 65_535, {
    error: "not a range of ports from 1024 to 65535",
  });

const migration = z.strictObject({
  ports: portRange
    .optional()
    .describe(
      "FIRST-LAST: ports of this host on which guests arrive, each on one; without it the kernel gives any of net.ipv4.ip_local_port_range",
    ),
  tunnel: z
    .enum(["auto", "ipip", "vxlan"])
    .default("auto")
    .describe("Kind of tunnel where a request names none; auto: the first that both kernels have"),
  tls: z
    .boolean()
    .default(true)
    .describe("Whether the stream of a guest's memory is protected; alike on all hosts"),
  frozen_deadline_ms: z
    .int()
    .min(50)
    .max(600_000)
    .default(2000)
    .describe("Longest time that a guest is stopped before the promise; then it goes on here"),
  downtime_limit_ms: z
    .int()
    .min(1)
    .max(60_000)
    .default(300)
    .describe("Expected blackout at which a busy guest is moved; a smaller one takes longer"),
  max_bandwidth_mbps: z
    .number()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe("Limit of the stream in Mbit/s; 0: as fast as the link takes it"),
  minimum_passes: z
    .int()
    .min(2)
    .max(1000)
    .default(2)
    .describe("Passes over the guest's memory before it may be stopped"),
  timeout_s: z
    .int()
    .min(1)
    .max(86_400)
    .default(600)
    .describe("A migration that does not converge until then is rolled back"),
  policy: z
    .enum(policyNames)
    .default("balanced")
    .describe("How hard a busy guest is pressed to move, where neither request nor guest says"),
  post_copy: z
    .boolean()
    .default(false)
    .describe(
      "Whether a guest that does not converge may run at the destination before all of its memory is there, where neither request nor guest says",
    ),
  finish_limit_ms: z
    .int()
    .min(1)
    .max(60_000)
    .default(2000)
    .describe("Longest expected blackout that policy `finish` accepts"),
  guest_share: guestShareSchema
    .default(50)
    .describe("Percent of the link that is left to guests' own traffic while one moves; 0: none"),
  link_mbps: z
    .number()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe("What the link that streams use can carry, in Mbit/s; 0: found out"),
  address: ipv4
    .optional()
    .describe("Address of this host where guests arrive; without it, `[host] underlay_address`"),
  multifd_channels: z
    .int()
    .min(0)
    .max(16)
    .default(0)
    .describe("Connections that a stream uses where both hosts' QEMUs can; 0: one, as ever"),
  compression: z
    .enum(["none", "zstd", "zlib"])
    .default("none")
    .describe("Of memory on its way, with `multifd_channels`, where both hosts' QEMUs can"),
});

const libvirtSection = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe(
      "Whether guests of libvirt's can be taken in here and arrive here; without the section, no",
    ),
  sockets: z
    .array(absolutePath.max(107, "too long for a socket's path"))
    .min(1)
    .max(8)
    .optional()
    .describe(
      "Where libvirt listens, tried in this order; by default virtqemud-sock and libvirt-sock in /run/libvirt",
    ),
  tls: z
    .boolean()
    .optional()
    .describe(
      "Whether the streams of these guests are protected, with the certificates of libvirt's qemu.conf; alike on all hosts; as under [migration] where it is not said",
    ),
});

const flowsSection = z.strictObject({
  track: z
    .boolean()
    .default(true)
    .describe(
      "Whether the kernel is asked to track connections, with their traffic and age, where guests of this host are concerned; it then tracks the host's others too",
    ),
});

const drainSection = z.strictObject({
  idle_timeout_s: z
    .int()
    .min(1)
    .max(2_592_000)
    .default(7_440)
    .describe(
      "A flow that sends nothing for so long does not hold a renumbered guest's redirect; RFC 5382 has translators wait as long",
    ),
  cap_s: z
    .int()
    .min(0)
    .max(31_536_000)
    .default(604_800)
    .describe("A renumbered guest's redirect goes after so long whoever uses it; 0: never"),
  name_ttl_s: z
    .int()
    .min(0)
    .max(604_800)
    .default(0)
    .describe(
      "How long resolvers may answer with the old address once hooks have changed the guest's name; not needed with [dns]",
    ),
});

const logSection = z.strictObject({
  level: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("The least that is logged, as JSON lines on standard output"),
});

/** The configuration file. Strict: an unknown key is a fault. */
export const configSchema = z
  .strictObject({
    host: z.strictObject({
      name: configuredName.describe("This host's name, as in its certificate and the peers' files"),
      underlay_address: ipv4.describe("Address of this host that tunnels and streams use"),
      role: z
        .enum(hostRoles)
        .default("host")
        .describe(
          "`anchor`: this host runs no guests; it is the home of guests that run at its peers",
        ),
    }),
    guest_networks: z.array(guestNetwork).max(256).default([]),
    peer_api: z.strictObject({
      listen: endpoint.describe("ADDRESS:PORT for the other hosts' daemons; mutual TLS 1.3"),
      ca: absolutePath.describe("Authority that the hosts' certificates are of, PEM"),
      certificate: absolutePath.describe("This host's certificate, PEM"),
      key: absolutePath.describe("Its private key, PEM; root's alone"),
    }),
    peers: z
      .record(
        configuredName,
        z.strictObject({
          address: endpoint.describe("ADDRESS:PORT of that host's [peer_api] listen"),
        }),
      )
      .default({}),
    api: apiSection(endpoint).prefault({}),
    migration: migration.prefault({}),
    flows: flowsSection.prefault({}),
    drain: drainSection.prefault({}),
    dns: dnsSection.optional(),
    libvirt: libvirtSection.optional(),
    paths: paths.prefault({}),
    log: logSection.prefault({}),
    gates: gatesSection.default([]),
    hooks: hooksSection.prefault({}),
    webhooks: webhookSections,
  })
  .superRefine((file, context) => {
    if (Object.hasOwn(file.peers, file.host.name)) {
      context.addIssue({
        code: "custom",
        path: ["peers", file.host.name],
        message: "is this host itself",
      });
    }
    for (const [later, earlier] of overlappingSubnets(file.guest_networks)) {
      context.addIssue({
        code: "custom",
        path: ["guest_networks", later, "subnet"],
        message: `overlaps ${file.guest_networks[earlier]?.subnet}`,
      });
    }
  });

export type ConfigFile = z.output<typeof configSchema>;

function isEndpoint(text: string): boolean {
  const match = /^([0-9.]+):([0-9]{1,5})$/.exec(text);
  if (match === null) return false;
  const port = Number(match[2]);
  return ipv4.safeParse(match[1]).success && port >= 1 && port <= 65_535;
}

function isSubnet(text: string): boolean {
  const range = rangeOf(text);
  return range !== null && range.first === range.address;
}

function gatewayInSubnet(network: { subnet: string; gateway: string }): boolean {
  const range = rangeOf(network.subnet);
  if (range === null || !ipv4.safeParse(network.gateway).success) return true;
  const gateway = addressNumber(network.gateway);
  return gateway >= range.first && gateway <= range.last;
}

function overlappingSubnets(networks: readonly { subnet: string }[]): [number, number][] {
  const ranges = networks.map((network) => rangeOf(network.subnet));
  return ranges.flatMap((later, index) => {
    const clash = ranges.findIndex(
      (earlier, other) =>
        other < index &&
        later !== null &&
        earlier !== null &&
        later.first <= earlier.last &&
        earlier.first <= later.last,
    );
    return clash === -1 ? [] : [[index, clash] as [number, number]];
  });
}

function rangeOf(subnetText: string): { address: number; first: number; last: number } | null {
  const match = /^([0-9.]+)\/([0-9]{1,2})$/.exec(subnetText);
  const length = Number(match?.[2]);
  if (match?.[1] === undefined || !ipv4.safeParse(match[1]).success || length > 32) return null;
  return { address: addressNumber(match[1]), ...subnetOf(subnetText) };
}
