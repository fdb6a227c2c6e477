import { z } from "zod";
import { absolutePath } from "../config-values.ts";
import { isDomainName, nameOf } from "./guest-name.ts";

const ipv4 = z.ipv4("not an IPv4 address");
const domainName = z
  .string()
  .max(254)
  .transform((text) => text.toLowerCase().replace(/\.$/, ""))
  .refine(isDomainName, "not a domain name");

/** `[dns]`: the server that is told where a renumbered guest's name leads. */
export const dnsSection = z
  .strictObject({
    server: ipv4.describe("The zone's primary server, which takes updates (RFC 2136)"),
    port: z.int().min(1).max(65_535).default(53).describe("Its port, for queries and updates"),
    zone: domainName.describe("The zone that has the guests' names"),
    name: z
      .string()
      .max(254)
      .optional()
      .describe("A guest's name there, with {guest} in it; by default {guest} under the zone"),
    key_file: absolutePath.describe(
      "The file (0600) of the key that signs updates (TSIG, RFC 8945), as tsig-keygen writes it",
    ),
    ttl: z
      .int()
      .min(0)
      .max(604_800)
      .default(60)
      .describe("Seconds for which resolvers may keep an address that was set here"),
  })
  .superRefine(({ name, zone }, context) => {
    if (name === undefined || nameOf({ name, zone }, "guest") !== null) return;
    const message = name.includes("{guest}") ? `no name under ${zone}` : "without {guest}";
    context.addIssue({ code: "custom", path: ["name"], message });
  });

/** How the names of guests are updated. */
export interface DnsConfig {
  server: string;
  port: number;
  /** Without its last dot, in lower case. */
  zone: string;
  /** A guest's name, with `{guest}` in it. */
  name: string;
  keyPath: string;
  ttlS: number;
}

export function dnsConfig(section: z.output<typeof dnsSection> | undefined): DnsConfig | null {
  if (section === undefined) return null;
  const { server, port, zone, key_file: keyPath, ttl: ttlS } = section;
  return { server, port, zone, name: section.name ?? `{guest}.${zone}`, keyPath, ttlS };
}
