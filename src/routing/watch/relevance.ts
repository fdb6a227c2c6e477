import { nftTable, ourProtocol } from "../desired.ts";
import { type Interest, isKeptInterface, routeKey, unnamedTable } from "./interest.ts";

/** The programs that tell what the kernel tells them. */
export type EventSource = "ip" | "tc" | "nft";

const ourMark = new RegExp(`\\bproto ${ourProtocol}\\b`);
const ourTable = new RegExp(`^[a-z]+ \\S+ (?:ip|bridge) ${nftTable}(?:\\s|$)`);
const routeTypes =
  "unicast|local|broadcast|anycast|multicast|blackhole|unreachable|prohibit|throw|nat";
const routeLine = new RegExp(`^(?:(?:${routeTypes}) )?([0-9a-f.:/]+|default)\\b`);

/**
 * True when a line of `ip -N -o monitor label`, `tc monitor` or `nft monitor` may tell of a change to something of
 * ours, or to something in its place; cheap, since on a busy host most tell of other things. Pure.
 */
export function concernsUs(source: EventSource, line: string, interest: Interest): boolean {
  if (source === "nft") return ourTable.test(line);
  if (source === "tc") return isWatched(/ dev ([^ ]+)/.exec(line)?.[1], interest);
  const [, label = "", told = ""] = /^\[([A-Z]+)\](?:Deleted )?(.*)$/s.exec(line) ?? [];
  switch (label) {
    case "ROUTE":
      return ourMark.test(told) || hasRoutePlace(told, interest);
    case "NEIGH":
      return ourMark.test(told) || hasNeighbourPlace(told, interest);
    case "RULE":
      return ourMark.test(told) || interest.rulePriorities.has(told.split(":", 1)[0] ?? "");
    case "LINK":
    case "ADDR":
      return isWatched(/^\d+: ([^:@ ]+)/.exec(told)?.[1], interest);
    case "NETCONF":
      return isWatched(/^inet ([^ ]+)/.exec(told)?.[1], interest);
    default:
      return false;
  }
}

function isWatched(device: string | undefined, { devices }: Interest): boolean {
  return device !== undefined && (devices.has(device) || isKeptInterface(device));
}

function hasRoutePlace(told: string, { routes }: Interest): boolean {
  const prefix = routeLine.exec(told)?.[1] ?? "";
  const table = / table (\d+)/.exec(told)?.[1] ?? unnamedTable;
  return routes.has(routeKey(table, prefix));
}

/** `ADDRESS dev DEVICE …`, or `dev PORT lladdr MAC … STATE` for an entry of a bridge's table. */
function hasNeighbourPlace(told: string, interest: Interest): boolean {
  const [, address, device = ""] = /^(?:([^ ]+) )?dev ([^ ]+)/.exec(told) ?? [];
  if (address !== undefined) {
    if (isKeptInterface(device)) return true;
    return interest.devices.has(device) && interest.neighbours.has(address);
  }
  const isConfigured = / (?:PERMANENT|NOARP)\b/.test(told);
  return isConfigured && interest.macs.has(/ lladdr ([^ ]+)/.exec(told)?.[1] ?? "");
}
