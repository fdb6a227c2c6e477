import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { startTimer } from "../../platform/clock.ts";
import { decodeFlow } from "./decode.ts";
import { encodeFlowQuery, encodeFlowRemoval } from "./encode.ts";
import type { NetfilterNetlink } from "./netfilter.ts";
import { type FlowTuple, ipProtocol } from "./tracked-flow.ts";
import { FlowMessage } from "./wire.ts";

/**
 * Whether the kernel tracks what passes in this network namespace. It does while some rule there asks for it, which
 * cannot be asked of every kernel (CONFIG_NETFILTER_NETLINK_HOOK): so a datagram is sent over the loopback, and its
 * entry looked for. Where the loopback is not tracked (a `notrack` rule), having any entry tells.
 */
export async function isTrackingHere(netlink: NetfilterNetlink): Promise<boolean> {
  const tracked = await trackedCount();
  if (tracked === null) return false;
  return (await isLoopbackTracked(netlink)) ?? tracked > 0;
}

/** Per network namespace (Documentation/networking/nf_conntrack-sysctl.rst); null where the kernel cannot track. */
async function trackedCount(): Promise<number | null> {
  try {
    return Number(await readFile("/proc/sys/net/netfilter/nf_conntrack_count", "latin1"));
  } catch {
    return null;
  }
}

const loopback = "127.0.0.1";
const arrivesWithinMs = 200;

/** What a kernel answers that cannot be asked for flows (nf_conntrack_netlink). */
const cannotTell = ["EINVAL", "EOPNOTSUPP", "ENOTSUP"];

/** Null when the trial shows nothing. */
async function isLoopbackTracked(netlink: NetfilterNetlink): Promise<boolean | null> {
  const ends = await sendDatagram();
  if (ends === null) return null;
  const query = encodeFlowQuery(ipProtocol.udp, ends);
  const [answer] = await netlink.batch("the trial flow", FlowMessage.get, [query]);
  if (cannotTell.includes(answer?.errnoName ?? "")) return false;
  const bytes = answer?.data[0];
  const flow = bytes === undefined ? null : decodeFlow(bytes);
  if (flow === null) return null;
  await netlink.batch("the trial flow", FlowMessage.delete, [encodeFlowRemoval(flow)]);
  return true;
}

/** Its ends once it has arrived; null when it does not. */
async function sendDatagram(): Promise<FlowTuple | null> {
  const [from, to] = [createSocket("udp4"), createSocket("udp4")];
  const waiting = new AbortController();
  const timer = startTimer(() => waiting.abort(), arrivesWithinMs);
  try {
    const [sourcePort, destinationPort] = [await portOf(from), await portOf(to)];
    const arrived = once(to, "message", { signal: waiting.signal });
    from.send("", destinationPort, loopback);
    await arrived;
    const ends = { sourcePort, destinationPort, icmp: null, packets: null, bytes: null };
    return { source: loopback, destination: loopback, ...ends };
  } catch {
    return null;
  } finally {
    timer.cancel();
    from.close();
    to.close();
  }
}

async function portOf(socket: Socket): Promise<number> {
  socket.bind(0, loopback);
  await once(socket, "listening");
  return socket.address().port;
}
