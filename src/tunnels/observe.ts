import { z } from "zod";
import { isTunnelName, linkGroup } from "./identity.ts";
import { readEntries } from "./inspect.ts";
import { markedEnds } from "./mark.ts";
import type { Run } from "./steps.ts";
import type { TunnelDatapath } from "./tunnel.ts";

/** A tunnel device of ours as the kernel has it. */
export interface ObservedTunnel {
  interfaceName: string;
  datapath: TunnelDatapath;
  /** From the mark on the device; null for one that was left before it had one. */
  ends: { kind: string; localAddress: string; remoteAddress: string } | null;
  isUp: boolean;
  mtu: number;
  sent: { packets: number; bytes: number } | null;
  /** Null where the kernel does not count it. */
  received: { packets: number; bytes: number } | null;
}

const traffic = z.object({ packets: z.number(), bytes: z.number() });

const linkSchema = z.object({
  ifname: z.string(),
  flags: z.array(z.string()),
  mtu: z.number(),
  group: z.string().default("default"),
  ifalias: z.string().default(""),
  linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
  stats64: z.object({ rx: traffic, tx: traffic }).optional(),
});

const qdiscSchema = z.object({
  kind: z.string(),
  dev: z.string(),
  bytes: z.number().optional(),
  packets: z.number().optional(),
});

/**
 * The tunnels of this network namespace that carry our mark, with what has passed them. A packet of the BPF data path
 * leaves in the device's clsact hook, before the device itself counts: what was sent is that hook's count, and what
 * was received is not counted anywhere.
 * @throws SojournError `SOJ_TUNNEL_FAILED`.
 */
export async function observeTunnels(run: Run): Promise<ObservedTunnel[]> {
  const links = await readEntries(run, linkSchema, "ip", "-j", "-d", "-s", "link", "show");
  const ours = links.filter((link) => isTunnelName(link.ifname) && link.group === `${linkGroup}`);
  const needsQdiscs = ours.some((link) => datapathOf(link) === "bpf");
  const qdiscs = needsQdiscs
    ? await readEntries(run, qdiscSchema, "tc", "-j", "-s", "qdisc", "show")
    : [];
  return ours.map((link) => {
    const datapath = datapathOf(link);
    const hook = qdiscs.find(({ dev, kind }) => dev === link.ifname && kind === "clsact");
    const { packets, bytes } = hook ?? {};
    const counted = packets === undefined || bytes === undefined ? null : { packets, bytes };
    return {
      interfaceName: link.ifname,
      datapath,
      ends: markedEnds(link.ifalias),
      isUp: link.flags.includes("UP"),
      mtu: link.mtu,
      sent: datapath === "bpf" ? counted : (link.stats64?.tx ?? null),
      received: datapath === "bpf" ? null : (link.stats64?.rx ?? null),
    };
  });
}

/** A veth carries the BPF data path; every other kind of device is the kernel's own tunnel. */
function datapathOf(link: z.output<typeof linkSchema>): TunnelDatapath {
  return link.linkinfo?.info_kind === "veth" ? "bpf" : "kernel";
}
