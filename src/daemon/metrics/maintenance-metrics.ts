import type { MaintenanceState } from "../../migrator/maintenance.ts";
import type { Instruments } from "./instruments.ts";

/** Whether this host takes guests. */
export class MaintenanceMetrics {
  #maintenance: MaintenanceState | null = null;

  constructor(instruments: Instruments) {
    instruments.collectedGauge(
      "sojourn_host_maintenance",
      "1 while this host is in maintenance: no guest starts or arrives here.",
      [],
      (gauge) => gauge.set(this.#maintenance?.isOn ? 1 : 0),
    );
  }

  /** Until then it is not in maintenance. */
  know(maintenance: MaintenanceState): void {
    this.#maintenance = maintenance;
  }
}
