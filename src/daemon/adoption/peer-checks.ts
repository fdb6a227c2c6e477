import { asSojournError } from "../../platform/errors.ts";
import type { DaemonConfig } from "../config.ts";
import type { AdoptionCheck } from "./schemas.ts";
import { milder } from "./verdicts.ts";

interface Asking {
  config: Pick<DaemonConfig, "host" | "peers">;
  /** Peers that must be able to take the guest; null when any one of all is enough. */
  wanted: readonly string[] | null;
}

/** `here`, and what `ask` finds of each host that the guest may go to; a host that cannot be asked has failed. */
export async function withPeers(
  { config, wanted }: Asking,
  here: readonly AdoptionCheck[],
  ask: (host: string) => Promise<AdoptionCheck[]>,
): Promise<AdoptionCheck[]> {
  const local = config.host.name;
  const peers = wanted ?? [...config.peers.keys()];
  const asked = peers.map((host) => ask(host).catch((error) => [failure(host, "peer", error)]));
  const there = (await Promise.all(asked)).flat();
  if (peers.length === 0) {
    there.push(check(local, "peers", "warn", "there is no peer that it could go to"));
  }
  const all = [...here, ...there];
  return wanted === null ? milder(all, local) : all;
}

export function failure(host: string, subject: string, thrown: unknown): AdoptionCheck {
  const { message, code } = asSojournError(thrown);
  return check(host, subject, "fail", `${message} [${code}]`);
}

export function check(
  host: string,
  subject: string,
  result: AdoptionCheck["result"],
  detail: string,
): AdoptionCheck {
  return { host, subject, result, detail };
}
