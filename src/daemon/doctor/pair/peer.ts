import { estimateClockOffset } from "../../../migrator/clock-offset.ts";
import type { HostRole } from "../../../migrator/host-role.ts";
import { wallClockMs } from "../../../platform/clock.ts";
import { findTool, runCommand } from "../../../platform/command.ts";
import { asSojournError } from "../../../platform/errors.ts";
import type { PeerCaller } from "../../../platform/procedures.ts";
import { releaseVersion } from "../../../platform/release.ts";
import type { DaemonConfig } from "../../config.ts";
import { type baseProcedures, protocolVersion } from "../../procedures.ts";
import type { DoctorCheck } from "../../services.ts";
import { attempt, fail, ok, skipped, type Topic, warn } from "../check.ts";
import { inPrefix } from "../firewall/packet.ts";
import { judgeHypervisors, judgeLibvirts } from "./hypervisors.ts";
import type { doctorProcedures } from "./procedures.ts";

export type PairPeer = PeerCaller<typeof baseProcedures & typeof doctorProcedures>;

export const peerTopic = (peer: string): Topic => ({
  ...{ id: "peer", subject: peer, name: `peer ${peer}` },
  why: "Hosts prepare, promise and take over by asking each other; a peer that is silent gets no guest.",
});

/** Who a peer says that it is. */
export interface PeerFacts {
  underlayAddress: string;
  /** Where guests arrive. */
  streamAddress: string;
  guestSubnets: readonly string[];
  role: HostRole;
}

/** Whether guests can move between this host and the peer: neither is an anchor. */
export function runGuests({ host }: Pick<DaemonConfig, "host">, { role }: PeerFacts): boolean {
  return host.role !== "anchor" && role !== "anchor";
}

/** Whether a peer answers over mutual TLS and speaks our protocol. @throws SojournError what it or the network said. */
export async function greet(
  config: DaemonConfig,
  peer: PairPeer,
): Promise<{ facts: PeerFacts; check: DoctorCheck }> {
  const hello = await peer.call("hello", {
    protocol_version: protocolVersion,
    host: config.host.name,
  });
  const { underlay_address: underlayAddress, guest_subnets: guestSubnets, role } = hello;
  const streamAddress = hello.migration_address ?? underlayAddress;
  const facts = { underlayAddress, streamAddress, guestSubnets, role };
  const topic = peerTopic(peer.peer);
  const detail = "answers over mutual TLS";
  if (!hello.maintenance) return { facts, check: ok(topic, detail) };
  const check = warn(topic, `${detail}; it is in maintenance, and takes no guest`, {
    hint: `sojourn maintenance off, on ${peer.peer}, once guests may go there`,
  });
  return { facts, check };
}

/** What can be asked of a peer without this host's daemon. */
export async function checkPair(
  config: DaemonConfig,
  peer: PairPeer,
  facts: PeerFacts,
): Promise<DoctorCheck[]> {
  const subject = peer.peer;
  const topic = (id: string, why: string): Topic => ({ id, subject, why });
  const back = topic(
    "peer-calls-back",
    "A destination reports to its source, and a home is told of its guests.",
  );
  const mtu = topic(
    "peer-path-mtu",
    "A tunnel's packets carry more than guests'; a narrow way drops the full ones.",
  );
  return [
    checkSubnets(config, subject, facts),
    ...(await attempt(back, () => checkCallBack(back, peer), "skipped")),
    ...(runGuests(config, facts) ? await checkHypervisors(config, peer) : []),
    ...(await attempt(mtu, () => checkPathMtu(mtu, config, facts), "skipped")),
  ];
}

async function checkHypervisors(config: DaemonConfig, peer: PairPeer): Promise<DoctorCheck[]> {
  return [
    ...(await attempt({ id: "peer-hypervisor", subject: peer.peer, why: "" }, () =>
      judgeHypervisors(config, peer),
    )),
    ...(await judgeLibvirts(config, peer)),
  ];
}

/** How far the peer's clock is from ours. */
export async function checkOffset(peer: PairPeer): Promise<DoctorCheck[]> {
  const topic: Topic = {
    ...{ id: "peer-clock", subject: peer.peer, name: `clock of ${peer.peer}` },
    why: "Certificates are valid by the clock, and a report puts both hosts' events on one time line.",
  };
  return attempt(topic, async () => {
    const read = async () => (await peer.call("clock", {})).wall_clock_ms;
    return judgeOffset(topic, await estimateClockOffset(read, wallClockMs));
  });
}

/** Pure. */
export function judgeOffset(
  topic: Topic,
  { offsetMs, errorMs }: { offsetMs: number; errorMs: number },
): DoctorCheck {
  const detail = `${offsetMs.toFixed(1)} ms ahead of ours (± ${errorMs.toFixed(1)})`;
  const least = Math.abs(offsetMs) - errorMs;
  if (least < 100) return ok(topic, detail);
  const remedy = {
    hint: "synchronise both hosts' clocks (chrony, systemd-timesyncd) with the same servers",
    mend: "apt-get install -y chrony && chronyc -a makestep  # on both hosts",
  };
  return least < 60_000 ? warn(topic, detail, remedy) : fail(topic, detail, remedy);
}

function checkSubnets(config: DaemonConfig, peer: string, facts: PeerFacts): DoctorCheck {
  const topic: Topic = {
    ...{ id: "peer-guest-subnets", subject: peer },
    why: "Each guest address has one home; two would answer for it.",
  };
  const clash = config.guestNetworks.flatMap(({ subnet }) =>
    facts.guestSubnets
      .filter((other) => overlap(subnet, other))
      .map((other) => `${subnet} and ${other}`),
  );
  // Of two anchors of one LAN one has the guests, and the other stands by.
  if (clash.length > 0 && config.host.role === "anchor" && facts.role === "anchor") {
    return ok(topic, `${clash.join("; ")}: for handovers between the two anchors`);
  }
  if (clash.length === 0) return ok(topic, `${facts.guestSubnets.join(", ") || "none"} there`);
  const hint = "give each host a guest subnet of its own in [[guest_networks]]";
  return fail(topic, `${clash.join("; ")} overlap`, { hint });
}

/** Whether two IPv4 prefixes have an address in common. Pure. */
export function overlap(one: string, other: string): boolean {
  const [[first = "", firstLength = ""], [second = "", secondLength = ""]] = [one, other].map(
    (text) => text.split("/"),
  ) as [string[], string[]];
  const length = Math.min(Number(firstLength), Number(secondLength));
  return inPrefix(first, second, length) === true;
}

async function checkCallBack(topic: Topic, peer: PairPeer): Promise<DoctorCheck> {
  const { reached, reason } = await peer.call("doctor-call-back", {});
  if (reached) return ok(topic, `${peer.peer} reaches this host's daemon`);
  return fail(topic, `${peer.peer} does not reach this host's daemon: ${reason ?? "unknown"}`, {
    hint: `does the daemon run here, is this host in [peers] there with its address, and does this host's firewall let it in (see firewall-peer-api)?`,
    mend: "systemctl status sojourn --no-pager",
  });
}

/** Plain packets with DF set, as large as the underlay's device carries, then smaller. */
async function checkPathMtu(
  topic: Topic,
  config: DaemonConfig,
  { underlayAddress }: PeerFacts,
): Promise<DoctorCheck> {
  const route = await runCommand("ip", ["-j", "route", "get", underlayAddress]);
  const device = (JSON.parse(route.stdout) as { dev?: string }[])[0]?.dev ?? "";
  const link = await runCommand("ip", ["-j", "link", "show", "dev", device]);
  const mtu = (JSON.parse(link.stdout) as { mtu?: number }[])[0]?.mtu ?? 1500;
  const passes = (bytes: number) => pings(config.host.underlayAddress, underlayAddress, bytes);
  if (await passes(mtu)) return ok(topic, `${mtu} bytes pass to ${underlayAddress}`);
  if (!(await passes(576))) return skipped(topic, `${underlayAddress} does not answer ping`);
  let [passing, failing] = [576, mtu];
  while (failing - passing > 8) {
    const middle = Math.floor((passing + failing) / 2);
    if (await passes(middle)) passing = middle;
    else failing = middle;
  }
  return fail(topic, `packets of ${mtu} bytes do not pass, those of ${passing} do`, {
    hint: "better raise the MTU on the way",
    mend: `ip link set dev ${device} mtu ${passing}  # on both hosts`,
  });
}

async function pings(from: string, to: string, bytes: number): Promise<boolean> {
  const args = [
    "-n",
    "-q",
    "-I",
    from,
    "-M",
    "do",
    "-s",
    String(bytes - 28),
    "-c",
    "2",
    "-i",
    "0.1",
  ];
  const ping = findTool("ping");
  const { exitCode } = await runCommand(ping, [...args, "-w", "1", to], {
    acceptExitCodes: [1, 2],
  });
  return exitCode === 0;
}

/** What a host says is about itself, and nothing of it is for `--fix` here. */
function saidBy(host: string, check: DoctorCheck): DoctorCheck {
  return { ...check, host, fixable: false };
}

/** The checks that the peer makes of itself: what is not in order, and one that says which release it is. */
export async function checkThere(peer: PairPeer): Promise<DoctorCheck[]> {
  const topic: Topic = {
    ...{ id: "peer-release", subject: peer.peer },
    why: "Hosts of one release behave alike; a step in between is for upgrades only.",
  };
  try {
    const { release, checks } = await peer.call("doctor-host", {});
    const same = release === releaseVersion();
    const version = same
      ? ok(topic, release)
      : warn(topic, `${release} there, ${releaseVersion()} here`, {
          hint: "upgrade the older one",
        });
    return [version, ...checks.map((check) => saidBy(peer.peer, check))];
  } catch (thrown) {
    const { message, hint } = asSojournError(thrown);
    return [skipped(topic, message, hint)];
  }
}
