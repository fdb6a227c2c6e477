import { wallClockMs } from "../../platform/clock.ts";
import { asSojournError, preconditionError, type SojournError } from "../../platform/errors.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import type { DaemonConfig, Endpoint } from "../config.ts";
import { type baseProcedures, protocolVersion } from "../procedures.ts";
import { CalmReader } from "./calm-reader.ts";
import {
  descriptionPatienceMs,
  type HostDescription,
  type hostProcedures,
} from "./host-description.ts";
import type { HostSummary } from "./schemas.ts";

type Peer = PeerCaller<typeof hostProcedures & Pick<typeof baseProcedures, "hello">>;

export interface HostsOptions {
  config: Pick<DaemonConfig, "host" | "peerApi" | "peers">;
  describe: () => Promise<HostDescription>;
  peer: (name: string) => Peer;
  isGuestStanding: () => boolean;
  isInMaintenance: () => boolean;
}

/** However many ask, a host is asked so often at most (ms). */
const goodForMs = 3_000;

/** This host and its peers, as far as they can be asked. */
export class Hosts {
  readonly #options: HostsOptions;
  readonly #readers = new Map<string, CalmReader<HostSummary>>();
  readonly #seen = new Map<string, { reachable: boolean; sinceMs: number }>();
  readonly #description: CalmReader<HostDescription>;

  constructor(options: HostsOptions) {
    this.#options = options;
    const { config, isGuestStanding } = options;
    const calmly = { goodForMs, isGuestStanding };
    this.#description = new CalmReader(options.describe, calmly);
    const here = config.host.name;
    this.#seen.set(here, { reachable: true, sinceMs: wallClockMs() });
    for (const name of [here, ...config.peers.keys()].sort()) {
      const address = config.peers.get(name);
      const read = () => (address === undefined ? this.#local() : this.#remote(name, address));
      this.#readers.set(name, new CalmReader(read, calmly));
    }
  }

  /** By name. */
  list(): Promise<HostSummary[]> {
    return Promise.all([...this.#readers.keys()].map((name) => this.show(name)));
  }

  /** @throws SojournError `SOJ_HOST_UNKNOWN` (404). */
  async show(name: string): Promise<HostSummary> {
    const reader = this.#readers.get(name);
    if (reader !== undefined) {
      const summary = await reader.get();
      // Known without asking: whoever has just changed it sees that at once.
      return summary.local ? { ...summary, maintenance: this.#options.isInMaintenance() } : summary;
    }
    throw preconditionError(
      "SOJ_HOST_UNKNOWN",
      `${this.#options.config.host.name} knows no host ${name}`,
      {
        httpStatus: 404,
        hint: `hosts: ${[...this.#readers.keys()].join(", ")}`,
      },
    );
  }

  /** What this host tells its peers. */
  async description(): Promise<HostDescription> {
    const maintenance = this.#options.isInMaintenance();
    return { ...(await this.#description.get()), maintenance };
  }

  async #local(): Promise<HostSummary> {
    const { host, peerApi } = this.#options.config;
    const told = await this.#description.get();
    const summary = describedSummary(told, peerApi.listen, this.#since(host.name, true));
    return { ...summary, local: true };
  }

  async #remote(name: string, address: Endpoint): Promise<HostSummary> {
    try {
      const told = await this.#options.peer(name).call("describe-host", {});
      return describedSummary({ ...told, host: name }, address, this.#since(name, true));
    } catch (thrown) {
      const error = asSojournError(thrown);
      if (error.code === "SOJ_UNKNOWN_PROCEDURE") return await this.#greeted(name, address);
      return this.#unreachable(name, address, error);
    }
  }

  /** A host of an earlier release tells at least this much. */
  async #greeted(name: string, address: Endpoint): Promise<HostSummary> {
    const greeting = { protocol_version: protocolVersion, host: this.#options.config.host.name };
    const timeoutMs = descriptionPatienceMs;
    try {
      const told = await this.#options.peer(name).call("hello", greeting, { timeoutMs });
      const blank = blankSummary(name, address, this.#since(name, true));
      return {
        ...{ ...blank, reachable: true, health: "unknown" },
        underlay_address: told.underlay_address,
        ...{ guest_subnets: told.guest_subnets, role: told.role },
        versions: { ...blank.versions, protocol: told.protocol_version },
      };
    } catch (thrown) {
      return this.#unreachable(name, address, asSojournError(thrown));
    }
  }

  /** One that answers with an error of its own is reachable, and of no use. */
  #unreachable(name: string, address: Endpoint, error: SojournError): HostSummary {
    const { code, message, hint } = error;
    const reachable = !unreachableCodes.has(code);
    return {
      ...blankSummary(name, address, this.#since(name, reachable)),
      ...{ reachable, health: reachable ? "degraded" : "unreachable" },
      error: { code, message: message.slice(0, 600), hint },
    };
  }

  #since(name: string, reachable: boolean): number {
    const seen = this.#seen.get(name);
    if (seen?.reachable === reachable) return seen.sinceMs;
    const sinceMs = Math.round(wallClockMs());
    this.#seen.set(name, { reachable, sinceMs });
    return sinceMs;
  }
}

const unreachableCodes = new Set(["SOJ_PEER_UNREACHABLE", "SOJ_PEER_REFUSED", "SOJ_HOST_UNKNOWN"]);

function describedSummary(told: HostDescription, address: Endpoint, sinceMs: number): HostSummary {
  const problems = [...told.problems];
  const { protocol } = told.versions;
  if (protocol !== protocolVersion) {
    const message = `${told.host} speaks peer protocol ${protocol}, this host ${protocolVersion}`;
    problems.push({ code: "SOJ_PROTOCOL_VERSION", message });
  }
  return {
    ...blankSummary(told.host, address, sinceMs),
    ...{ reachable: true, health: problems.length === 0 ? "ok" : "degraded" },
    underlay_address: told.underlay_address,
    ...{ guest_subnets: told.guest_subnets, role: told.role },
    ...(told.maintenance === undefined ? {} : { maintenance: told.maintenance }),
    versions: told.versions,
    capacity: told.capacity,
    tunnels: told.tunnels,
    problems,
  };
}

function blankSummary(name: string, { address, port }: Endpoint, sinceMs: number): HostSummary {
  return {
    ...{ name, address: `${address}:${port}`, local: false, reachable: false },
    ...{ health: "unreachable", since_ms: Math.round(sinceMs), error: null },
    ...{ underlay_address: null, guest_subnets: null, role: null },
    versions: { sojourn: null, protocol: null, qemu: null, kernel: null },
    ...{ capacity: null, tunnels: null, problems: [] },
  };
}
