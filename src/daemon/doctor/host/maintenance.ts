import type { MaintenanceRecord } from "../../maintenance/maintenance.ts";
import type { DoctorCheck } from "../../services.ts";
import { ok, type Topic, warn } from "../check.ts";

const topic: Topic = {
  id: "maintenance",
  why: "In maintenance a host starts no guest and takes none in, until its operator ends it.",
};

/** The verdict on a host that may be in maintenance. Pure. */
export function judgeMaintenance(current: MaintenanceRecord | null): DoctorCheck {
  if (current === null) return ok(topic, "off");
  const since = current.sinceMs === null ? "" : ` since ${new Date(current.sinceMs).toISOString()}`;
  const reason = current.reason === null ? "" : ` (${current.reason})`;
  return warn(topic, `on${since}${reason}: no guest starts or arrives here`, {
    hint: "end it once guests may come back",
    mend: "sojourn maintenance off",
  });
}
