import { randomBytes } from "node:crypto";
import { asSojournError, type SojournError } from "../../../platform/errors.ts";
import type { PeerCaller } from "../../../platform/procedures.ts";
import type { TunnelKind } from "../../../tunnels/tunnel.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic, warn } from "../check.ts";
import { smallBytes } from "./path-counter.ts";
import type { PathEnds } from "./path-end.ts";
import type { doctorProcedures } from "./procedures.ts";

export type DoctorPeer = PeerCaller<typeof doctorProcedures>;

/** Two hosts, and what is asked of the way between them. */
export interface PathQuestion {
  host: string;
  localAddress: string;
  peer: DoctorPeer;
  remoteAddress: string;
  /** The kind that migrations take here: the others are only worth a warning. */
  wanted: TunnelKind;
}

const topics: Record<TunnelKind, Omit<Topic, "subject">> = {
  ipip: {
    id: "peer-protocol-4",
    why: "A guest's packets travel as IP protocol 4 both ways; firewalls often know TCP and UDP only.",
  },
  vxlan: {
    id: "peer-udp-4789",
    why: "With --tunnel vxlan a guest's packets travel as UDP to port 4789, both ways.",
  },
};

/** What went through a tunnel in one direction. */
interface Passage {
  from: string;
  to: string;
  sent: { full: number };
  arrived: { all: number; full: number };
}

/**
 * Makes a tunnel of the kind between the hosts, sends full-size and small packets with nonces through it in both
 * directions, counts what comes out, and removes it.
 */
export async function checkPath(
  ends: PathEnds,
  question: PathQuestion,
  kind: TunnelKind,
): Promise<DoctorCheck> {
  const topic: Topic = { ...topics[kind], subject: question.peer.peer };
  try {
    return judge(topic, question, kind, await pass(ends, question, kind));
  } catch (thrown) {
    return notProbed(topic, asSojournError(thrown));
  }
}

const notProbedCodes = new Set<string>([
  "SOJ_TUNNEL_UNSUPPORTED",
  "SOJ_DOCTOR_BUSY",
  "SOJ_DOCTOR_ADDRESS",
]);

function notProbed(topic: Topic, error: SojournError): DoctorCheck {
  if (notProbedCodes.has(error.code)) return skipped(topic, error.message, error.hint);
  const isOld = error.code === "SOJ_UNKNOWN_PROCEDURE";
  return isOld
    ? skipped(topic, "the other host's release knows no such check", error.hint)
    : fail(topic, error.message, { hint: error.hint });
}

async function pass(ends: PathEnds, question: PathQuestion, kind: TunnelKind): Promise<Passage[]> {
  const { host, peer, localAddress, remoteAddress } = question;
  const nonce = randomBytes(16).toString("hex");
  const here = { kind, localAddress, remoteAddress, nonce };
  const there = { kind, underlay_address: localAddress, nonce };
  const [ours, theirs] = await openBoth();
  try {
    const full = Math.min(ours.mtu, theirs.mtu);
    await Promise.all(
      [smallBytes, full].flatMap((bytes) => [
        ends.send(here, bytes),
        peer.call("doctor-path-send", { ...there, bytes }),
      ]),
    );
    const sent = { full };
    const [there2, here2] = [await peer.call("doctor-path-count", there), await ends.count(here)];
    return [
      { from: host, to: peer.peer, sent, arrived: there2 },
      { from: peer.peer, to: host, sent, arrived: here2 },
    ];
  } finally {
    await Promise.allSettled([ends.close(here), peer.call("doctor-path-close", there)]);
  }

  async function openBoth() {
    const opened = await ends.open(here);
    try {
      return [opened, await peer.call("doctor-path-open", there)] as const;
    } catch (error) {
      await ends.close(here);
      throw error;
    }
  }
}

/** The verdict on what came out of the tunnel. Pure. */
export function judge(
  topic: Topic,
  { wanted }: Pick<PathQuestion, "wanted">,
  kind: TunnelKind,
  passages: readonly Passage[],
): DoctorCheck {
  const silent = passages.filter(({ arrived }) => arrived.all === 0);
  const verdict = wanted === kind ? fail : warn;
  const ways = (some: readonly Passage[]) =>
    some.map(({ from, to }) => `${from} to ${to}`).join(" and from ");
  if (silent.length > 0) {
    const what = kind === "ipip" ? "IP protocol 4" : "UDP port 4789";
    const other = kind === "ipip" ? "vxlan" : "ipip";
    return verdict(topic, `nothing passes from ${ways(silent)}`, {
      hint: `let ${what} pass between the hosts' underlay addresses, in their firewalls (see firewall-… above), routers and security groups; or use --tunnel ${other} if that one passes`,
    });
  }
  const narrow = passages.filter(({ arrived }) => arrived.full === 0);
  const [{ sent } = { sent: { full: 0 } }] = passages;
  if (narrow.length > 0) {
    return verdict(topic, `packets of ${sent.full} bytes do not pass from ${ways(narrow)}`, {
      hint: "raise the MTU between the hosts, or lower that of their underlay devices (see peer-path-mtu)",
    });
  }
  return ok(topic, `packets of up to ${sent.full} bytes pass both ways`);
}
