import type { Link } from "./inspect.ts";
import type { TunnelSpec } from "./tunnel.ts";

/**
 * What the kernel itself remembers of a tunnel for us, in the device's alias: it survives a crash and goes with
 * the device.
 */
export interface Mark {
  underlay: string;
  underlayIndex: number;
}

/** The alias text, readable in `ip link`. */
export function markText(spec: TunnelSpec, mark: Mark): string {
  const ends = `${spec.kind}:${spec.localAddress}:${spec.remoteAddress}`;
  return `sojourn:${ends}:${mark.underlay}:${mark.underlayIndex}`;
}

/** The mark on a device; null when it has none, which a crash right after its creation leaves. */
export function readMark(link: Link): Mark | null {
  const match = /^sojourn:[a-z]+:[0-9.]+:[0-9.]+:([^:/\s]+):(\d+)$/.exec(link.alias);
  if (match === null) return null;
  return {
    underlay: match[1] ?? "",
    underlayIndex: Number(match[2]),
  };
}

/** The ends that a mark names; null for any other text. */
export function markedEnds(alias: string) {
  const match = /^sojourn:([a-z]+):([0-9.]+):([0-9.]+):[^:/\s]+:\d+$/.exec(alias);
  if (match === null) return null;
  const [, kind = "", localAddress = "", remoteAddress = ""] = match;
  return { kind, localAddress, remoteAddress };
}
