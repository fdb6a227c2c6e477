import type { GuestDefinition } from "../../hypervisor/definition.ts";
import type { HypervisorCapabilities } from "../../hypervisor/hypervisor.ts";
import { adoptionRefusals } from "../../hypervisor/qemu/adoption/proposal.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import type { DaemonConfig } from "../config.ts";
import { checkHypervisorsMatch } from "../hypervisor-match.ts";
import type { baseProcedures } from "../procedures.ts";
import { check, failure, withPeers } from "./peer-checks.ts";
import type { adoptionProcedures, HostRehearsal } from "./procedures.ts";
import type { Proposal } from "./propose.ts";
import type { AdoptionCheck } from "./schemas.ts";
import { judgeRehearsal } from "./verdicts.ts";

export interface Checking {
  config: Pick<DaemonConfig, "host" | "peers" | "migration">;
  peer: (host: string) => PeerCaller<typeof baseProcedures & typeof adoptionProcedures>;
  /** Peers that must be able to take the guest; null when any one of all is enough. */
  wanted: readonly string[] | null;
  rehearse: (definition: GuestDefinition) => Promise<HostRehearsal>;
  capabilities: () => Promise<HypervisorCapabilities>;
}

/** Everything that speaks for or against adopting the guest, on this host and on those that it may go to. */
export async function checkProposal(
  proposal: Proposal,
  checking: Checking,
): Promise<AdoptionCheck[]> {
  const local = checking.config.host.name;
  const own = ownChecks(proposal, checking);
  // A machine that cannot be carried need not be rehearsed.
  if (own.some(({ result }) => result === "fail")) return own;
  const { definition, examined } = proposal;
  let home: HostRehearsal;
  try {
    home = await checking.rehearse(definition);
  } catch (error) {
    return [...own, failure(local, "machine", error)];
  }
  const here = judgeRehearsal(local, definition, examined, home, home);
  if (here.some(({ result }) => result === "fail")) return [...own, ...here];
  return await withPeers(checking, [...own, ...here], (host) =>
    checkPeer(host, proposal, checking, home),
  );
}

function ownChecks({ examined, tap, bridge }: Proposal, { config }: Checking): AdoptionCheck[] {
  const { name: host } = config.host;
  const { monitor, process, carried } = examined;
  const user = process.effectiveUserId;
  const refusals = adoptionRefusals(examined);
  if (config.migration.tls && user !== 0) {
    refusals.push(
      `it runs as user ${user}, who cannot read the credentials of a protected stream ([migration] tls)`,
    );
  }
  const about = `process ${process.identity.pid}, QEMU ${monitor.version.text} (${monitor.accelerator}), ${monitor.runState}`;
  return [
    check(host, "process", "ok", about),
    check(host, "network", "ok", `${tap} in ${bridge}; both stay as they are`),
    ...refusals.map((reason) => check(host, "command line", "fail", reason)),
    ...carried.warnings.map((warning) => check(host, "command line", "warn", warning)),
  ];
}

async function checkPeer(
  host: string,
  { definition, examined }: Proposal,
  { config, peer, capabilities }: Checking,
  home: HostRehearsal,
): Promise<AdoptionCheck[]> {
  const caller = peer(host);
  const theirs = await caller.call("hypervisor", {});
  const source = {
    ...{ host: config.host.name, ...(await capabilities()), streamTls: config.migration.tls },
  };
  checkHypervisorsMatch(definition, source, { host, ...theirs, streamTls: theirs.stream_tls });
  const there = await caller.call("rehearse-guest", { definition });
  return judgeRehearsal(host, definition, examined, home, there);
}
