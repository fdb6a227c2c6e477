import type { GuestDefinition } from "../../hypervisor/definition.ts";
import type { GuestInstance } from "../../hypervisor/hypervisor.ts";
import { type ExaminedQemu, examineQemu } from "../../hypervisor/qemu/adoption/examine.ts";
import { proposeDefinition } from "../../hypervisor/qemu/adoption/proposal.ts";
import { preconditionError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import type { DaemonConfig } from "../config.ts";
import type { AdoptionRequest } from "./schemas.ts";
import { parseNicWish, placeOfTap } from "./tap-facts.ts";

/** What would become of a running QEMU. */
export interface Proposal {
  examined: ExaminedQemu;
  definition: GuestDefinition;
  tap: string;
  bridge: string;
}

/**
 * Looks at a running QEMU and its tap; changes nothing.
 * @throws SojournError `SOJ_GUEST_EXISTS`, `SOJ_NO_TAP`, `SOJ_BRIDGE_MISSING`, `SOJ_ADDRESS_UNKNOWN`, or what
 *   `examineQemu` throws
 */
export async function propose(
  { name, qmp, pid, nic = [], shared_disks: isShared = false }: AdoptionRequest,
  known: { config: DaemonConfig; instances: readonly GuestInstance[]; logger: Logger },
): Promise<Proposal> {
  const wish = parseNicWish(nic);
  refuseKnownProcess(pid, known.instances);
  const examined = await examineQemu({ socket: qmp, pid }, known.logger);
  refuseKnownProcess(examined.process.identity.pid, known.instances);
  const { tap, mac } = onlyNic(examined, wish?.mac ?? null);
  const { bridge, nic: defined } = await placeOfTap(known.config, tap, mac, wish);
  const definition = proposeDefinition(name, examined, defined);
  return { examined, definition: isShared ? vouchedFor(definition) : definition, tap, bridge };
}

/** The definition with what its owner knows of its disks, and nobody can prove. Pure. */
export function vouchedFor(definition: GuestDefinition): GuestDefinition {
  return { ...definition, disks: definition.disks.map((disk) => ({ ...disk, shared: true })) };
}

function refuseKnownProcess(pid: number | undefined, instances: readonly GuestInstance[]): void {
  const known = instances.find((instance) => instance.pid === pid);
  if (known === undefined) return;
  throw preconditionError(
    "SOJ_GUEST_EXISTS",
    `process ${pid} is the guest ${known.guest} already`,
    {
      guestState: "untouched",
      hint: `sojourn guest show ${known.guest}`,
    },
  );
}

function onlyNic({ process, monitor, carried }: ExaminedQemu, wished: string | null) {
  const [tap] = process.taps;
  const [mac] = monitor.tree.macAddresses;
  const isOne = process.taps.length === 1 && monitor.tree.macAddresses.length === 1;
  if (tap === undefined || mac === undefined || !isOne) {
    const found = `${monitor.tree.macAddresses.length} NICs and ${process.taps.length} taps (${process.taps.join(", ") || "none"})`;
    const reasons = carried.refusals.map((reason) => `; ${reason}`).join("");
    throw preconditionError(
      "SOJ_NO_TAP",
      `QEMU process ${process.identity.pid} has ${found}${reasons}`,
      {
        guestState: "untouched",
        hint: "a guest moves with exactly one NIC, on a tap",
      },
    );
  }
  if (wished === null || wished === mac) return { tap, mac };
  throw preconditionError("SOJ_NO_TAP", `its NIC has the MAC address ${mac}, not ${wished}`, {
    guestState: "untouched",
  });
}
