import { createHash } from "node:crypto";

export const namespacePrefix = "sojourn-barrier-";
/** Every barrier's link on a host, as nftables matches names. */
export const anyBarrierLink = "sjv*";
const firstTable = 1_018_290;
const tableCount = 100_000;

export interface BarrierNames {
  namespace: string;
  /** The end of the veth on the host. */
  link: string;
  /** Table of the prober's route to the guest. */
  table: number;
}

/** Names of one end, the same for the same migration; the two ends of one migration differ. */
export function barrierNames(role: "responder" | "prober", id: string): BarrierNames {
  const digest = createHash("sha256").update(`${role} ${id}`).digest();
  const suffix = digest.toString("hex").slice(0, 9);
  return {
    namespace: `${namespacePrefix}${suffix}`,
    link: `sjv${suffix}`,
    table: firstTable + (digest.readUInt32BE(12) % tableCount),
  };
}

/** The namespace that belongs to a link of ours; null for other links. */
export function namespaceOfLink(link: string): string | null {
  return /^sjv[0-9a-f]{9}$/.test(link) ? `${namespacePrefix}${link.slice(3)}` : null;
}
