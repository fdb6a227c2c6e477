import { preconditionError } from "../platform/errors.ts";
import { isOwnAddress } from "../platform/own-addresses.ts";
import type { DaemonConfig } from "./config.ts";

/**
 * Where guests arrive at this host.
 * @throws SojournError `SOJ_CONFIG_INVALID` when that is not an address of this host: no guest could.
 */
export function requireStreamAddress({ migration }: Pick<DaemonConfig, "migration">): void {
  const { address } = migration;
  if (address === null || isOwnAddress(address)) return;
  throw preconditionError(
    "SOJ_CONFIG_INVALID",
    `address under [migration], ${address}, is not an address of this host`,
    { hint: "configure it on an interface that is up, or correct or remove it" },
  );
}
