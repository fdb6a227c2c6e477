import { isIPv4 } from "node:net";
import type { DnsConfig } from "./config.ts";
import { isDomainName } from "./guest-name.ts";

/** A name that is to lead to another address. Other addresses that it has stay. */
export interface NameChange {
  /** Without its last dot. */
  name: string;
  remove: readonly string[];
  /** Null when it is to lead nowhere. */
  add: string | null;
}

/**
 * What nsupdate(1) reads: one message, so that the name leads somewhere at every instant. The same again
 * changes nothing. Pure.
 * @throws Error for what is no name or address: nothing else may come into the lines.
 */
export function updateScript(
  { server, port, zone, ttlS }: Pick<DnsConfig, "server" | "port" | "zone" | "ttlS">,
  { name, remove, add }: NameChange,
): string {
  const addresses = [server, ...remove, ...(add === null ? [] : [add])];
  const numbers = [port, ttlS];
  if (!isDomainName(name) || !isDomainName(zone)) throw new Error(`no name: ${name} in ${zone}`);
  if (!addresses.every(isIPv4) || !numbers.every(Number.isInteger)) throw new Error("no address");
  const lines = [
    `server ${server} ${port}`,
    `zone ${zone}.`,
    ...remove.map((address) => `update delete ${name}. A ${address}`),
    ...(add === null ? [] : [`update add ${name}. ${ttlS} A ${add}`]),
    "send",
    "quit",
  ];
  return `${lines.join("\n")}\n`;
}
