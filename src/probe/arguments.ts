import { parseArgs } from "node:util";
import { reasonOf, usageError } from "../platform/errors.ts";
import { defaultIntervals, defaultPorts, type ProbeKind, probeKinds } from "./series.ts";
import type { SessionOptions } from "./session.ts";

export interface ProberArguments extends SessionOptions {
  kind: ProbeKind;
}

/**
 * Arguments of the prober's process: `KIND HOST PORT` and options; a packet probe's PORT is 0.
 * @throws SojournError `SOJ_USAGE`
 */
export function parseProberArguments(args: readonly string[]): ProberArguments {
  const { values, positionals } = parse(args);
  const [kind, host, port, ...rest] = positionals;
  if (!isProbeKind(kind) || host === undefined || port === undefined || rest.length > 0) {
    throw usageError(usage);
  }
  return {
    kind,
    host,
    port: defaultPorts[kind] === null ? 0 : toNumber("PORT", port, 1, 65_535),
    intervalMs:
      values["interval-ms"] === undefined
        ? defaultIntervals[kind]
        : toNumber("--interval-ms", values["interval-ms"], 1, 1000),
    maxMbps:
      values["max-mbps"] === undefined
        ? null
        : toNumber("--max-mbps", values["max-mbps"], 0.1, 1_000_000),
    connectTimeoutMs: toNumber("--connect-timeout-ms", values["connect-timeout-ms"], 1, 600_000),
  };
}

const usage =
  "arguments: KIND HOST PORT (0 for packet) [--interval-ms MS] [--max-mbps N] [--connect-timeout-ms MS]";

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        "interval-ms": { type: "string" },
        "max-mbps": { type: "string" },
        "connect-timeout-ms": { type: "string", default: "3000" },
      },
    });
  } catch (error) {
    throw usageError(reasonOf(error), usage);
  }
}

function isProbeKind(text: string | undefined): text is ProbeKind {
  return probeKinds.some((kind) => kind === text);
}

function toNumber(name: string, text: string, lowest: number, highest: number): number {
  const value = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= lowest && value <= highest) return value;
  throw usageError(`${name} has to be a number from ${lowest} to ${highest}`, usage);
}
