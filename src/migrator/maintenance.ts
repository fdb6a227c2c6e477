import { preconditionError } from "../platform/errors.ts";
import type { HostFacts } from "./network.ts";

/** Whether a host is in maintenance: guests may leave it, and none starts or arrives there. */
export interface MaintenanceState {
  readonly isOn: boolean;
}

/** @throws SojournError `SOJ_HOST_MAINTENANCE` in maintenance; `what` would have a guest run here, as a sentence. */
export function refuseMaintenance(
  host: Pick<HostFacts, "name">,
  maintenance: MaintenanceState | undefined,
  what: string,
): void {
  if (maintenance?.isOn) throw maintenanceError(host.name, what);
}

/** Says that `host` takes no guest for now. */
export function maintenanceError(host: string, what: string) {
  return preconditionError("SOJ_HOST_MAINTENANCE", `${what}: ${host} is in maintenance`, {
    guestState: "untouched",
    hint: `choose another host, or end it there: sojourn maintenance off, on ${host}`,
  });
}
