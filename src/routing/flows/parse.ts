import { isIPv4 } from "node:net";

/** One direction of a tracked flow; what its protocol does not have, or nobody counted, is null. */
export interface FlowTuple {
  source: string;
  destination: string;
  sourcePort: number | null;
  destinationPort: number | null;
  icmp: { type: number; code: number; id: number } | null;
  packets: number | null;
  bytes: number | null;
}

/** An entry of the kernel's connection tracking. */
export interface TrackedFlow {
  id: string;
  /** IANA's protocol number. */
  protocol: number;
  /** Seconds until it is forgotten; null for one that hardware carries. */
  expiresS: number | null;
  /** Of TCP; null for protocols without. */
  state: string | null;
  original: FlowTuple;
  /** The packets that answer it, as they arrive: with network address translation not the reverse of `original`. */
  reply: FlowTuple;
  /** Packets have come back. */
  replied: boolean;
  assured: boolean;
}

const longestLine = 2_000;

/**
 * Reads a line of `conntrack -L -f ipv4 -o id` (conntrack(8)); null for one that is anything else. Tuples and flags it
 * does not know are passed over.
 */
export function parseFlow(line: string): TrackedFlow | null {
  if (line.length > longestLine) return null;
  const [name, number, ...words] = line.trim().split(/\s+/);
  const protocol = wholeNumber(number, 255);
  if (name === undefined || protocol === null) return null;
  const start = words.findIndex((word) => word.startsWith("src="));
  if (start < 0 || start > 2) return null;
  const [expires, state] = words.slice(0, start);
  const fields = words.slice(start);
  const second = fields.findIndex((word, index) => index > 0 && word.startsWith("src="));
  if (second < 0) return null;
  const [original, reply] = [tupleOf(fields.slice(0, second)), tupleOf(fields.slice(second))];
  // ICMP has an identifier in each tuple too; the entry's own is the last.
  const id = fields.findLast((field) => field.startsWith("id="))?.slice(3);
  if (original === null || reply === null || wholeNumber(id) === null) return null;
  if (state !== undefined && !/^[A-Z][A-Z0-9_]{1,30}$/.test(state)) return null;
  const expiresS = expires === undefined ? null : wholeNumber(expires);
  if (expires !== undefined && expiresS === null) return null;
  return {
    ...{ id: `${id}`, protocol, expiresS, state: state ?? null, original, reply },
    replied: !fields.includes("[UNREPLIED]"),
    assured: fields.includes("[ASSURED]"),
  };
}

function tupleOf(fields: readonly string[]): FlowTuple | null {
  const values = new Map<string, string>();
  for (const field of fields) {
    const [key = "", value] = field.split("=", 2);
    // The first counts: what belongs to the entry as a whole stands behind the second tuple.
    if (value !== undefined && !values.has(key)) values.set(key, value);
  }
  const number = (key: string, most?: number) => wholeNumber(values.get(key), most);
  const [source = "", destination = ""] = [values.get("src"), values.get("dst")];
  if (!isIPv4(source) || !isIPv4(destination)) return null;
  const [type, code, id] = [number("type", 255), number("code", 255), number("id", 65_535)];
  const icmp = type === null || code === null || id === null ? null : { type, code, id };
  return {
    ...{ source, destination, icmp },
    sourcePort: number("sport", 65_535),
    destinationPort: number("dport", 65_535),
    packets: number("packets"),
    bytes: number("bytes"),
  };
}

function wholeNumber(text: string | undefined, most = Number.MAX_SAFE_INTEGER): number | null {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return null;
  const value = Number(text);
  return value <= most ? value : null;
}
