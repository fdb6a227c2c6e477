import { isIP } from "node:net";
import { usageError } from "../platform/errors.ts";
import { defaultPorts, type ProbeKind } from "./series.ts";

export interface ProbeTarget {
  host: string;
  /** Null for packets, which have none. */
  port: number | null;
}

const hostNamePattern =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9][A-Za-z0-9-]{0,62})*$/;

/**
 * Reads `HOST`, `HOST:PORT`, `IPV6` or `[IPV6]:PORT`; without a port the one of the kind's RFC.
 * @throws SojournError `SOJ_BAD_TARGET`.
 */
export function parseProbeTarget(kind: ProbeKind, text: string): ProbeTarget {
  const { host, port } = split(text);
  if (port === null) return checkProbeTarget(kind, { host, port: defaultPorts[kind] });
  return checkProbeTarget(kind, { host, port: toPort(port) });
}

/** @throws SojournError `SOJ_BAD_TARGET` unless host and port can be probed. */
export function checkProbeTarget(kind: ProbeKind, target: ProbeTarget): ProbeTarget {
  const { host, port } = target;
  if (isIP(host) === 0 && (!hostNamePattern.test(host) || /^[0-9.]+$/.test(host))) {
    throw badTarget(host, "is neither an address nor a host name");
  }
  const isPort = port !== null && Number.isInteger(port) && port >= 1 && port <= 65_535;
  if (defaultPorts[kind] === null && port !== null) {
    throw badTarget(`${host}:${port}`, `names a port, and a ${kind} probe has none`);
  }
  if (defaultPorts[kind] !== null && !isPort) throw badTarget(String(port), "is not a port");
  return target;
}

function split(text: string): { host: string; port: string | null } {
  if (isIP(text) === 6) return { host: text, port: null };
  const bracketed = /^\[([0-9A-Fa-f:.%]{2,64})\](?::([0-9]{1,6}))?$/.exec(text);
  if (bracketed?.[1] !== undefined) return { host: bracketed[1], port: bracketed[2] ?? null };
  const colon = text.lastIndexOf(":");
  if (colon < 0) return { host: text, port: null };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

function toPort(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text)) throw badTarget(text, "is not a port");
  return Number(text);
}

function badTarget(text: string, problem: string) {
  return usageError(
    `${JSON.stringify(text.slice(0, 80))} ${problem}`,
    "a target is HOST or HOST:PORT, for example 10.1.0.10:7",
    "SOJ_BAD_TARGET",
  );
}
