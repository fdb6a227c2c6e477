import { readSysctl } from "../../../routing/sysctls.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, type Topic, warn } from "../check.ts";

const topic: Topic = {
  id: "flow-space",
  why: "Where the kernel's table of connections is full it drops the packets that begin new ones, the guests' too.",
};

/** Parts of the table that are in use. */
const [warnAbove, failAbove] = [0.75, 0.95];

/**
 * Room for more connections (Documentation/networking/nf_conntrack-sysctl.rst).
 * @param read a switch below `/proc/sys`; null for one that is not there.
 */
export async function checkFlowSpace(
  read: (path: string) => Promise<string | null> = readSysctl,
): Promise<DoctorCheck> {
  const [count, most] = await Promise.all(
    ["count", "max"].map((name) => read(`net/netfilter/nf_conntrack_${name}`)),
  );
  if (count == null || most == null) return ok(topic, "this kernel tracks no connections yet");
  const [used, room] = [Number(count), Number(most)];
  const detail = `${used} of ${room} connections`;
  // 0: any number (nf_conntrack_core.c).
  if (room === 0 || used <= room * warnAbove) return ok(topic, detail);
  const remedy = {
    mend: `sysctl -w net.netfilter.nf_conntrack_max=${room * 2}`,
    hint: "each takes some 400 bytes of memory; or let the firewall not track what needs none (notrack)",
  };
  return (used > room * failAbove ? fail : warn)(topic, detail, remedy);
}
