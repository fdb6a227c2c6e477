import { attachmentOf, type HostFacts } from "../migrator/network.ts";
import type { GuestRecord } from "../migrator/records.ts";
import type { Renumber } from "../migrator/source-context.ts";
import { preconditionError, usageError } from "../platform/errors.ts";
import type { DaemonConfig } from "./config.ts";
import { nameOf } from "./dns/guest-name.ts";
import type { MigrationPlan, MigrationRequest } from "./services.ts";

/**
 * What a request wants of the guest's address at its destination; undefined when it keeps its own alone.
 * @throws SojournError `SOJ_USAGE` for what never goes together; `SOJ_RENUMBER_AWAY`, `SOJ_FLOWS_UNTRACKED`.
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
  const { host } = record.home;
  if (host !== config.host.name) {
    throw preconditionError(
      "SOJ_RENUMBER_AWAY",
      `${guest} is away from its home ${host}, and gets another address only when it leaves its home`,
      { guestState: "untouched", hint: `sojourn migrate ${guest} --to ${host}, then away again` },
    );
  }
  if (!config.flows.track) {
    throw preconditionError(
      "SOJ_FLOWS_UNTRACKED",
      `${host} tracks no connections: which flows are established, and keep the old address, is not known`,
      { guestState: "untouched", hint: "[flows] track = true, and a restart of the daemon" },
    );
  }
  const { drain_idle_s: idleTimeoutS = config.drain.idleTimeoutS, drain_cap_s: capS } = request;
  return {
    address,
    idleTimeoutS,
    capS: capS === undefined ? config.drain.capS : capS === 0 ? null : capS,
    nameTtlS: config.drain.nameTtlS,
    updatesName: config.dns !== null && nameOf(config.dns, guest) !== null,
  };
}

/**
 * Refuses to bring a guest home that would lose an address, and the sessions on it, without its caller's word.
 * @throws SojournError `SOJ_GUEST_RENUMBERED`.
 */
export function checkReleased(
  { guest, release_renumbered: isReleased = false }: MigrationRequest,
  { hosting, home }: GuestRecord,
): void {
  const renumbered = hosting?.renumbered;
  if (renumbered === undefined || isReleased) return;
  throw preconditionError(
    "SOJ_GUEST_RENUMBERED",
    `${guest} would lose ${renumbered} by going home to ${home.host}, and sessions on that address would be cut`,
    {
      guestState: "untouched",
      hint: `sojourn flows ${guest} tells which; --release-renumbered gives the address back`,
    },
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
