import type { KeeperFigures } from "../../migrator/network-keeper.ts";
import type { RoutingPlane } from "../../routing/desired.ts";
import type { Instruments } from "./instruments.ts";

/** What the keeper of this host's network has had to do. */
export class NetworkMetrics {
  #routing: Pick<RoutingPlane, "refusedPackets"> | null = null;
  #keeper: { readonly figures: KeeperFigures } | null = null;

  constructor(instruments: Instruments) {
    instruments.countedElsewhere(
      "sojourn_network_checks_total",
      "Times that the kernel's network was compared with what the guests need.",
      [],
      (add) => add({}, this.#keeper?.figures.looks ?? 0),
    );
    instruments.countedElsewhere(
      "sojourn_network_repairs_total",
      "Times that somebody else's change to the guests' network was repaired.",
      [],
      (add) => add({}, this.#keeper?.figures.repairs ?? 0),
    );
    instruments.countedElsewhere(
      "sojourn_network_repair_failures_total",
      "Times that the guests' network could not be compared or repaired.",
      [],
      (add) => add({}, this.#keeper?.figures.failures ?? 0),
    );
    instruments.collectedGauge(
      "sojourn_network_alarm",
      "1 while somebody keeps changing the guests' network, or it cannot be repaired.",
      [],
      (gauge) => gauge.set(this.#keeper?.figures.isAlarmed ? 1 : 0),
    );
    instruments.readElsewhere(
      "sojourn_tunnel_packets_refused_total",
      "Packets at this host's tunnels that belong to none of their guests (inner_address), come from no peer (outer_address) or are no whole packets (malformed).",
      "reason",
      async () => (await this.#routing?.refusedPackets()) ?? {},
    );
  }

  know(
    keeper: { readonly figures: KeeperFigures },
    routing: Pick<RoutingPlane, "refusedPackets">,
  ): void {
    this.#keeper = keeper;
    this.#routing = routing;
  }
}
