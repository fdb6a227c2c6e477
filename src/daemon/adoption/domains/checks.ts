import type { HypervisorCapabilities } from "../../../hypervisor/hypervisor.ts";
import { needsOf } from "../../../hypervisor/libvirt/adoption/outlook.ts";
import { judgeDomain } from "../../../hypervisor/libvirt/adoption/proposal.ts";
import type { LibvirtConnection } from "../../../hypervisor/libvirt/rpc/connection.ts";
import { asSojournError } from "../../../platform/errors.ts";
import type { PeerCaller } from "../../../platform/procedures.ts";
import type { DaemonConfig } from "../../config.ts";
import { checkHypervisorsMatch } from "../../hypervisor-match.ts";
import { type baseProcedures, isStreamProtected } from "../../procedures.ts";
import type { AdoptionCheck } from "../schemas.ts";
import { milder } from "../verdicts.ts";
import { lookHere } from "./look-here.ts";
import type { domainProcedures, HostOutlook } from "./procedures.ts";
import type { DomainProposal } from "./propose.ts";
import { judgeOutlook } from "./verdicts.ts";

export interface DomainChecking {
  config: Pick<DaemonConfig, "host" | "peers" | "migration" | "libvirt">;
  connection: LibvirtConnection;
  peer: (host: string) => PeerCaller<typeof baseProcedures & typeof domainProcedures>;
  /** Peers that must be able to take the guest; null when any one of all is enough. */
  wanted: readonly string[] | null;
  capabilities: () => Promise<HypervisorCapabilities>;
}

/** Everything that speaks for or against adopting the domain, on this host and on those that it may go to. */
export async function checkDomain(
  proposal: DomainProposal,
  checking: DomainChecking,
): Promise<AdoptionCheck[]> {
  const { config, wanted, connection } = checking;
  const local = config.host.name;
  const own = ownChecks(proposal, local);
  if (own.some(({ result }) => result === "fail")) return own;
  const home = await lookHere(connection, needsOf(proposal.examined));
  const peers = wanted ?? [...config.peers.keys()];
  const there = (
    await Promise.all(peers.map((host) => checkPeer(host, proposal, checking, home)))
  ).flat();
  if (peers.length === 0) {
    there.push(check(local, "peers", "warn", "there is no peer that it could go to"));
  }
  const all = [...own, ...there];
  return wanted === null ? milder(all, local) : all;
}

function ownChecks({ examined, tap, bridge }: DomainProposal, host: string): AdoptionCheck[] {
  const { domain, state, migratable } = examined;
  const { refusals, warnings } = judgeDomain(examined);
  const about = `${domain.name} (${domain.uuid}), ${migratable.machine}, ${migratable.virtualization === "kvm" ? "kvm" : "tcg"}, ${state}`;
  return [
    check(host, "domain", "ok", about),
    check(host, "network", "ok", `${tap} in ${bridge}; both stay as they are`),
    ...refusals.map((reason) => check(host, "domain", "fail", reason)),
    ...warnings.map((warning) => check(host, "domain", "warn", warning)),
  ];
}

async function checkPeer(
  host: string,
  { definition, examined }: DomainProposal,
  { config, peer, capabilities }: DomainChecking,
  home: HostOutlook,
): Promise<AdoptionCheck[]> {
  try {
    const caller = peer(host);
    const theirs = await caller.call("hypervisor", { kind: "libvirt" });
    const { version, accelerator } = await capabilities();
    const streamTls = isStreamProtected(config, "libvirt");
    const source = { host: config.host.name, version, accelerator, streamTls };
    checkHypervisorsMatch(definition, source, { host, ...theirs, streamTls: theirs.stream_tls });
    const there = await caller.call("expect-domain", needsOf(examined));
    return judgeOutlook(host, examined.migratable, home, there);
  } catch (error) {
    const { message, code } = asSojournError(error);
    return [check(host, "peer", "fail", `${message} [${code}]`)];
  }
}

function check(
  host: string,
  subject: string,
  result: AdoptionCheck["result"],
  detail: string,
): AdoptionCheck {
  return { host, subject, result, detail };
}
