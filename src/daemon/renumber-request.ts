import { cutFlow } from "../migrator/cut-flows.ts";
import { sessionsOf } from "../migrator/drain-flows.ts";
import type { HostContext } from "../migrator/host-context.ts";
import { attachmentOf, type HostFacts } from "../migrator/network.ts";
import type { GuestRecord, Renumbering } from "../migrator/records.ts";
import type { Renumber } from "../migrator/source-context.ts";
import { preconditionError, reasonOf, type SojournError, usageError } from "../platform/errors.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import type { DaemonConfig } from "./config.ts";
import { nameOf } from "./dns/guest-name.ts";
import type { MigrationPlan, MigrationRequest } from "./services.ts";

/**
 * What a request wants of the guest's address at its destination; undefined when it keeps its own alone.
 * @throws SojournError `SOJ_USAGE` for what never goes together; `SOJ_RENUMBER_HOME`, `SOJ_FLOWS_UNTRACKED`.
 */
export function renumberOf(
  request: MigrationRequest,
  record: GuestRecord,
  config: Pick<DaemonConfig, "host" | "flows" | "drain" | "dns">,
): Renumber | undefined {
  const { guest, renumber: address, strategy } = request;
  if (address === undefined) return undefined;
  if (strategy !== undefined && strategy.name !== "lossless") {
    throw usageError(`a guest is renumbered with strategy lossless, not with ${strategy.name}`);
  }
  if (record.home.host === request.to) {
    throw preconditionError(
      "SOJ_RENUMBER_HOME",
      `${guest} goes home to ${request.to}, and has an address of its subnet already`,
      { guestState: "untouched", hint: `sojourn migrate ${guest} --to ${request.to}` },
    );
  }
  if (!config.flows.track) throw untracked(guest, config.host.name);
  const { drain_idle_s: idleTimeoutS = config.drain.idleTimeoutS, drain_cap_s: capS } = request;
  return {
    ...drainOf(guest, config),
    address,
    idleTimeoutS,
    capS: capS === undefined ? config.drain.capS : capS === 0 ? null : capS,
  };
}

/** How the redirect of a renumbered guest drains by this host's configuration, and whether this host sees to its name. */
export function drainOf(
  guest: string,
  { drain, dns }: Pick<DaemonConfig, "drain" | "dns">,
): Omit<Renumbering, "renumbered"> {
  const { idleTimeoutS, capS, nameTtlS } = drain;
  const updatesName = dns !== null && nameOf(dns, guest) !== null;
  return { idleTimeoutS, capS, nameTtlS, updatesName };
}

/**
 * Refuses to take a guest away, home or on, while sessions use the address that it would lose, without its caller's word.
 * @throws SojournError `SOJ_GUEST_RENUMBERED` with some of them, or why they cannot be counted.
 */
export async function checkReleased(
  { guest, release_renumbered: isReleased = false }: MigrationRequest,
  record: GuestRecord,
  { host, flows }: Pick<HostContext, "host" | "flows">,
): Promise<void> {
  const renumbered = record.hosting?.renumbered;
  if (renumbered === undefined || isReleased) return;
  const { address } = attachmentOf(host, record);
  const used = await usersOf(renumbered, address, flows);
  if (used === null) return;
  throw preconditionError(
    "SOJ_GUEST_RENUMBERED",
    `${guest} would lose ${renumbered} by leaving ${host.name}: ${used}`,
    {
      guestState: "untouched",
      hint: `sojourn flows ${guest} shows sessions; wait for their end, or give the address back and cut them: --release-renumbered`,
    },
  );
}

/** What a plan warns of: the address that the guest loses by leaving, and sessions on it. */
export async function releaseWarnings(
  record: GuestRecord,
  { host, flows }: Pick<HostContext, "host" | "flows">,
): Promise<string[]> {
  const renumbered = record.hosting?.renumbered;
  if (renumbered === undefined) return [];
  const { address } = attachmentOf(host, record);
  const used = (await usersOf(renumbered, address, flows)) ?? "no session uses it";
  return [`${record.guest} gives ${renumbered} back to ${host.name}: ${used}`];
}

/**
 * Refuses to renumber a guest whose flows this host's kernel does not track.
 * @throws SojournError `SOJ_FLOWS_UNTRACKED`.
 */
export async function checkTracked(
  { guest, renumber }: MigrationRequest,
  { host, flows }: Pick<HostContext, "host" | "flows">,
): Promise<void> {
  if (renumber !== undefined && !(await flows.isTracking())) throw untracked(guest, host.name);
}

/** Sessions on `renumbered`, in words; null when there are none. */
async function usersOf(
  renumbered: string,
  address: string,
  flows: Pick<HostContext["flows"], "read">,
): Promise<string | null> {
  let known: TrackedFlow[];
  try {
    known = sessionsOf(await flows.read(address));
  } catch (error) {
    return `which sessions use it is not known (${reasonOf(error)})`;
  }
  const using = known.filter(
    ({ original, reply }) =>
      original.destination === renumbered || reply.destination === renumbered,
  );
  if (using.length === 0) return null;
  const peers = using.slice(0, mostNamed).map((flow) => cutFlow(address, flow, null).peer);
  const more = using.length > mostNamed ? ", …" : "";
  const sessions = using.length === 1 ? "1 session" : `${using.length} sessions`;
  return `${sessions} would be cut (${peers.join(", ")}${more})`;
}

/** Of sessions that a refusal is about. */
const mostNamed = 5;

function untracked(guest: string, host: string): SojournError {
  return preconditionError(
    "SOJ_FLOWS_UNTRACKED",
    `${host} tracks no connections: which of ${guest}'s flows are established, and keep the old address, is not known`,
    { guestState: "untouched", hint: "[flows] track = true, and a restart of the daemon" },
  );
}

/** What a plan says of it. */
export function plannedRenumbering(
  host: HostFacts,
  record: GuestRecord,
  renumber: Renumber | undefined,
  to: string | undefined,
): Pick<MigrationPlan, "renumber"> {
  if (renumber === undefined || to === undefined) return {};
  const { address: from } = attachmentOf(host, record);
  const { idleTimeoutS: idle_timeout_s, capS: cap_s } = renumber;
  return { renumber: { from, to, idle_timeout_s, cap_s } };
}
