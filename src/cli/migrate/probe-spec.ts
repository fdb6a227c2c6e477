import { usageError } from "../../platform/errors.ts";
import { namePattern } from "../../platform/names.ts";
import { defaultPorts, type ProbeKind, probeKinds } from "../../probe/series.ts";

/** One prober that is asked for: what it does, to which port of the guest, and where it runs. */
export interface ProbeSpec {
  kind: ProbeKind;
  /** Null for packets. */
  port: number | null;
  /** Node of the lab; null for the machine the CLI runs on. */
  node: string | null;
}

/**
 * Reads `KIND[:PORT][@NODE]`.
 * @param defaultNode where it runs when no node is named.
 * @throws SojournError `SOJ_USAGE`.
 */
export function parseProbeSpec(text: string, defaultNode: string | null): ProbeSpec {
  const match = /^([a-z-]{1,20})(?::(\d{1,5}))?(?:@(.{1,63}))?$/.exec(text);
  const kind = probeKinds.find((known) => known === match?.[1]);
  if (kind === undefined) throw badSpec(text, `the kinds are ${probeKinds.join(", ")}`);
  const port = match?.[2] === undefined ? defaultPorts[kind] : Number(match[2]);
  if (match?.[2] !== undefined && defaultPorts[kind] === null) {
    throw badSpec(text, `a ${kind} probe has no port`);
  }
  if (port !== null && (port < 1 || port > 65_535)) throw badSpec(text, "a port is 1 to 65535");
  const node = match?.[3] ?? defaultNode;
  if (node !== null && !namePattern.test(node)) throw badSpec(text, "that is not a node's name");
  return { kind, port, node };
}

const labProbes: readonly ProbeKind[] = ["tcp-echo", "tcp-stream"];

/**
 * The probers of a migration: those asked for; in the lab, without any, an echo and a stream from `client`.
 * @param wanted the `--probe` options; false for `--no-probe`.
 */
export function chosenProbes(
  wanted: readonly string[] | false | undefined,
  inLab: boolean,
): ProbeSpec[] {
  if (wanted === false) return [];
  const node = inLab ? "client" : null;
  const specs = wanted ?? (inLab ? labProbes : []);
  return specs.map((text) => parseProbeSpec(text, node));
}

function badSpec(text: string, reason: string) {
  return usageError(
    `--probe ${JSON.stringify(text.slice(0, 80))}: ${reason}`,
    "KIND[:PORT][@NODE], for example tcp-echo:7@client",
  );
}
