import { CommandError, runCommand } from "../../platform/command.ts";
import { preconditionError, usageError } from "../../platform/errors.ts";
import type { GuestDefinition } from "../definition.ts";
import type { NicAttachment } from "../hypervisor.ts";

/**
 * Makes sure that there is one existing tap per NIC: QEMU would silently create a missing one, plugged
 * into nothing.
 * @throws SojournError `SOJ_USAGE`, `SOJ_BAD_NAME`, `SOJ_TAP_MISSING`
 */
export async function checkAttachments(
  definition: GuestDefinition,
  nics: readonly NicAttachment[],
): Promise<void> {
  const { name } = definition;
  if (nics.length !== definition.nics.length) {
    throw usageError(
      `guest ${name} has ${definition.nics.length} NICs, but ${nics.length} taps were given`,
    );
  }
  for (const { tapName } of nics) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/.test(tapName)) {
      const shown = JSON.stringify(tapName.slice(0, 80));
      throw usageError(`${shown} is not a tap's name`, undefined, "SOJ_BAD_NAME");
    }
    await checkExists(name, tapName);
  }
}

async function checkExists(guest: string, tapName: string): Promise<void> {
  try {
    await runCommand("ip", ["link", "show", "dev", tapName]);
  } catch (cause) {
    if (!(cause instanceof CommandError)) throw cause;
    throw preconditionError(
      "SOJ_TAP_MISSING",
      `guest ${guest} cannot be started: there is no tap ${tapName}`,
      { cause },
    );
  }
}
