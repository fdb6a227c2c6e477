import { preconditionError } from "../platform/errors.ts";

/** Finds peers by name. The function returned throws SojournError `SOJ_HOST_UNKNOWN` (404) for one that is not configured. */
export function peerLookup<Caller>(
  host: string,
  peers: ReadonlyMap<string, Caller>,
): (name: string) => Caller {
  return (name) => {
    const found = peers.get(name);
    if (found !== undefined) return found;
    throw preconditionError("SOJ_HOST_UNKNOWN", `${host} has no peer ${name}`, {
      httpStatus: 404,
      hint: `peers: ${[...peers.keys()].join(", ") || "none"}; add it to [peers] in sojourn.toml`,
    });
  };
}
