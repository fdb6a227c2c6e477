/** Something of a domain that a move must know of. */
export interface Obstacle {
  code: ObstacleCode;
  /**
   * `refused`: it cannot move. `depends`: it can where the destination has what `facts` name. `noted`: it can, and
   * somebody should know.
   */
  verdict: "refused" | "depends" | "noted";
  /** What has it: `NIC 52:54:00:00:00:01`, `disk vda`, `the domain`. */
  subject: string;
  /** What is to be compared or checked, by name. */
  facts: Readonly<Record<string, string>>;
  /** The reason in words, a half sentence about the subject. */
  reason: string;
}

export type ObstacleCode =
  | "input-of-host"
  | "bandwidth-floor"
  | "block-job"
  | "character-device"
  | "confidential-memory"
  | "control-group"
  | "cpu-of-host"
  | "crypto-device"
  | "filesystem"
  | "graphics"
  | "graphics-acceleration"
  | "graphics-address"
  | "host-cpus"
  | "host-device"
  | "host-nodes"
  | "huge-pages"
  | "invariant-tsc"
  | "lock"
  | "memory-file"
  | "name"
  | "network-filter"
  | "nic-connection"
  | "nic-count"
  | "nic-type"
  | "not-qemu"
  | "nvram"
  | "persistent-reservations"
  | "qemu-arguments"
  | "secret"
  | "security-label"
  | "shared-memory"
  | "storage-pool"
  | "storage-type"
  | "tpm"
  | "transient-disk"
  | "usb-redirection"
  | "vsock";

type Kind = Pick<Obstacle, "code" | "verdict">;

/** Facts that are null are left out. */
export function obstacle(
  [verdict, code]: readonly [Kind["verdict"], Kind["code"]],
  subject: string,
  reason: string,
  facts: Readonly<Record<string, string | null>> = {},
): Obstacle {
  const known = Object.entries(facts).filter((fact): fact is [string, string] => fact[1] !== null);
  return { code, verdict, subject, facts: Object.fromEntries(known), reason };
}
