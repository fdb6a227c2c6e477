import type { HypervisorCapabilities } from "../../../hypervisor/hypervisor.ts";
import { needsOf } from "../../../hypervisor/libvirt/adoption/outlook.ts";
import { judgeDomain } from "../../../hypervisor/libvirt/adoption/proposal.ts";
import type { LibvirtConnection } from "../../../hypervisor/libvirt/rpc/connection.ts";
import type { PeerCaller } from "../../../platform/procedures.ts";
import type { DaemonConfig } from "../../config.ts";
import { checkHypervisorsMatch } from "../../hypervisor-match.ts";
import { type baseProcedures, isStreamProtected } from "../../procedures.ts";
import { check, withPeers } from "../peer-checks.ts";
import type { AdoptionCheck } from "../schemas.ts";
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
  const { config, connection } = checking;
  const own = ownChecks(proposal, config.host.name);
  if (own.some(({ result }) => result === "fail")) return own;
  const home = await lookHere(connection, needsOf(proposal.examined));
  return await withPeers(checking, own, (host) => checkPeer(host, proposal, checking, home));
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
  const caller = peer(host);
  const theirs = await caller.call("hypervisor", { kind: "libvirt" });
  const { version, accelerator } = await capabilities();
  const streamTls = isStreamProtected(config, "libvirt");
  const source = { host: config.host.name, version, accelerator, streamTls };
  checkHypervisorsMatch(definition, source, { host, ...theirs, streamTls: theirs.stream_tls });
  const there = await caller.call("expect-domain", needsOf(examined));
  return judgeOutlook(host, examined.migratable, home, there);
}
