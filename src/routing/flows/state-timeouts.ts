import { readSysctl } from "../sysctls.ts";
import type { TrackedFlow } from "./tracked-flow.ts";

/** Seconds by the name behind `nf_conntrack_` in `/proc/sys/net/netfilter`, e.g. `tcp_timeout_fin_wait`. */
export type StateTimeouts = ReadonlyMap<string, number>;

const tcpStates = [
  ...["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT"],
  "CLOSE",
];
const sctpStates = [
  ...["CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED", "SHUTDOWN_SENT", "SHUTDOWN_RECD"],
  ...["SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"],
];
const names = [
  ...tcpStates.map((state) => `tcp_timeout_${state.toLowerCase()}`),
  ...sctpStates.map((state) => `sctp_timeout_${state.toLowerCase()}`),
  ...["tcp_timeout_max_retrans", "tcp_timeout_unacknowledged", "udp_timeout", "udp_timeout_stream"],
  ...["icmp_timeout", "gre_timeout", "gre_timeout_stream", "generic_timeout"],
];

/**
 * For how long this network namespace's kernel remembers a flow in which nothing comes, by protocol and state
 * (Documentation/networking/nf_conntrack-sysctl.rst). What this kernel does not have is absent.
 * @param read a switch below `/proc/sys`; null for one that is not there.
 */
export async function readStateTimeouts(
  read: (path: string) => Promise<string | null> = readSysctl,
): Promise<StateTimeouts> {
  const timeouts = new Map<string, number>();
  const reading = names.map(async (name) => {
    const text = await read(`net/netfilter/nf_conntrack_${name}`);
    if (text !== null && /^\d{1,10}$/.test(text)) timeouts.set(name, Number(text));
  });
  await Promise.all(reading);
  return timeouts;
}

/**
 * For how long nothing has come, estimated from what is left of the time-out of the flow's state, in whole seconds, never
 * below 0. Null where that says nothing: of a protocol or state with a time-out that is not known; of a flow that
 * hardware carries; and of TCP whenever so little is left that the kernel may have shortened the time-out, as it does
 * after retransmissions, a closed window, or for data that is not acknowledged (nf_conntrack_tcp_packet). Pure.
 */
export function estimatedIdleS(flow: TrackedFlow, timeouts: StateTimeouts): number | null {
  const { expiresS, protocol } = flow;
  const name = timeoutName(flow);
  const timeoutS = name === null ? undefined : timeouts.get(name);
  if (expiresS === null || timeoutS === undefined) return null;
  if (protocol === 6) {
    const shortenedS = Math.max(
      timeouts.get("tcp_timeout_max_retrans") ?? 300,
      timeouts.get("tcp_timeout_unacknowledged") ?? 300,
    );
    if (timeoutS > shortenedS && expiresS <= shortenedS) return null;
  }
  // What is left is told in whole seconds, rounded down.
  return Math.max(0, timeoutS - expiresS - 1);
}

function timeoutName({ protocol, state, replied, assured }: TrackedFlow): string | null {
  switch (protocol) {
    case 1:
      return "icmp_timeout";
    case 6:
      return state === null ? null : `tcp_timeout_${state.toLowerCase()}`;
    case 17:
      // Assured at the same moment as the longer one begins to count (nf_conntrack_proto_udp.c).
      return assured ? "udp_timeout_stream" : "udp_timeout";
    case 47:
      return replied ? "gre_timeout_stream" : "gre_timeout";
    case 132:
      return state === null ? null : `sctp_timeout_${state.toLowerCase()}`;
    default:
      return "generic_timeout";
  }
}
