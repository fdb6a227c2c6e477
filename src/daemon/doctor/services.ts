import type { HostNetwork } from "../../migrator/host-network.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import { counted } from "../../platform/counted.ts";
import type { Logger } from "../../platform/log.ts";
import type { PeerCaller, ProcedureHandlers } from "../../platform/procedures.ts";
import { type TunnelKind, type Tunnels, tunnelKinds } from "../../tunnels/tunnel.ts";
import type { DaemonConfig } from "../config.ts";
import { CalmReader } from "../inventory/calm-reader.ts";
import type { Maintenance } from "../maintenance/maintenance.ts";
import { type baseProcedures, protocolVersion } from "../procedures.ts";
import type { DaemonServices, DoctorCheck } from "../services.ts";
import { attempt, ok, onHost, skipped, type Topic, warn } from "./check.ts";
import { judgeMaintenance } from "./host/maintenance.ts";
import { doctorHandlers } from "./pair/handlers.ts";
import { checkPath } from "./pair/path.ts";
import { removePathLeftovers } from "./pair/path-counter.ts";
import { PathEnds } from "./pair/path-end.ts";
import type { doctorProcedures } from "./pair/procedures.ts";

export interface DoctorOptions {
  config: DaemonConfig;
  tunnels: Tunnels;
  network: HostNetwork;
  records: RecordStore;
  peer: (host: string) => PeerCaller<typeof baseProcedures & typeof doctorProcedures>;
  isGuestStanding: () => boolean;
  maintenance: Pick<Maintenance, "current">;
  logger: Logger;
}

const networkTopic: Topic = {
  id: "network-state",
  why: "Guests are reached through these routes, rules and filters; the daemon repairs what it may.",
};

const refusedTopic: Topic = {
  id: "refused-packets",
  why: "Packets of tunnels that belong to no guest or come from no peer are forged, or a host has other guests than this one knows.",
};

/** Packets of guests that have just left a tunnel, or are not known behind it any more. */
const mostLate = 1_000;

/** Those who ask again sooner get the same answer (ms). */
const goodForMs = 500;

/** The daemon's part of `doctor`: its checks, and what it does for other hosts' ones. */
export class Doctor implements AsyncDisposable {
  readonly #options: DoctorOptions;
  readonly #ends: PathEnds;
  /** It takes its turn at the network, which guests that move need: however many ask, one waits there. */
  readonly #network: CalmReader<DoctorCheck[]>;

  constructor(options: DoctorOptions) {
    this.#options = options;
    this.#ends = new PathEnds(options);
    const { isGuestStanding } = options;
    this.#network = new CalmReader(() => this.#checkNetwork(), { goodForMs, isGuestStanding });
  }

  readonly services: Pick<DaemonServices, "doctor" | "examinePeer"> = {
    doctor: async () => {
      const checks = await attempt(networkTopic, () => this.#network.get(), "skipped");
      const refused = await attempt(refusedTopic, () => this.#checkRefused(), "skipped");
      const maintenance = judgeMaintenance(this.#options.maintenance.current);
      return onHost(this.#options.config.host.name, [...checks, maintenance, ...refused]);
    },
    examinePeer: async (peer) =>
      onHost(this.#options.config.host.name, await this.#examinePeer(peer)),
  };

  handlers(): ProcedureHandlers<typeof doctorProcedures> {
    const { config, peer, isGuestStanding } = this.#options;
    return doctorHandlers({ config, ends: this.#ends, peer, isGuestStanding });
  }

  /** Removes what a check left when its daemon died. */
  async removeLeftovers(): Promise<void> {
    await removePathLeftovers().catch((error: unknown) =>
      this.#options.logger.warn({ err: error }, "leftovers of checks were not looked for"),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ends[Symbol.asyncDispose]();
  }

  /** Whether the kernel is as the guests' records ask. */
  async #checkNetwork(): Promise<DoctorCheck[]> {
    const { network, records } = this.#options;
    const topic = networkTopic;
    const isMoving = records.all().some(({ migration }) => migration !== null);
    if (isMoving) return [skipped(topic, "a guest is moving")];
    return attempt(topic, async () => {
      const lines = await network.differences();
      if (lines.length === 0)
        return ok(
          topic,
          `as ${counted(records.all().length, "guest's record asks", "guests' records ask")}`,
        );
      const missing = lines.slice(0, 5).join("; ");
      return warn(topic, `differs from what guests need: ${missing}`.slice(0, 1_000), {
        hint: "the daemon repairs it by itself within seconds, unless something else keeps changing it: see its log",
        mend: "journalctl -u sojourn -n 50 --no-pager",
      });
    });
  }

  async #checkRefused(): Promise<DoctorCheck> {
    const counts = await this.#options.network.routing.refusedPackets();
    const known = Object.entries(counts).filter(([, count]) => count > 0);
    if (known.length === 0) return ok(refusedTopic, "none since the daemon's start");
    const told = known.map(([reason, count]) => `${count} ${reason}`).join(", ");
    const detail = `since the daemon's start: ${told}`;
    const { inner_address: late, ...others } = counts;
    if (late <= mostLate && Object.values(others).every((count) => count === 0)) {
      return ok(refusedTopic, detail);
    }
    return warn(refusedTopic, detail, {
      hint: "sojourn_tunnel_packets_refused_total tells when; a network that refuses forged addresses (RFC 2827) keeps them away",
    });
  }

  async #examinePeer(name: string): Promise<DoctorCheck[]> {
    const { config, tunnels } = this.#options;
    const peer = this.#options.peer(name);
    const greeting = { protocol_version: protocolVersion, host: config.host.name };
    const { underlay_address: remoteAddress } = await peer.call("hello", greeting);
    const question = {
      ...{ host: config.host.name, localAddress: config.host.underlayAddress },
      ...{ peer, remoteAddress, wanted: await this.#wantedKind(tunnels) },
    };
    const checks: DoctorCheck[] = [];
    for (const kind of tunnelKinds) checks.push(await checkPath(this.#ends, question, kind));
    return checks;
  }

  async #wantedKind(tunnels: Tunnels): Promise<TunnelKind> {
    return (await tunnels.choose(this.#options.config.migration.tunnel)).kind;
  }
}
