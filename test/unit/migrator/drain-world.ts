import type { DrainContext } from "../../../src/migrator/drain-context.ts";
import { Drains } from "../../../src/migrator/drains.ts";
import { HostNetwork } from "../../../src/migrator/host-network.ts";
import type { HostFacts } from "../../../src/migrator/network.ts";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import type { Drain, GuestRecord } from "../../../src/migrator/records.ts";
import { Retirements } from "../../../src/migrator/retirements.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import type { DesiredState, RoutingPlane } from "../../../src/routing/desired.ts";
import type { TrackedFlow } from "../../../src/routing/flows/tracked-flow.ts";
import type { TunnelSpec, Tunnels } from "../../../src/tunnels/tunnel.ts";
import { FakeClock, pass, settled } from "../platform/fake-clock.ts";
import { aToB, bToA, hostA, hostB, recordOf, temporaryFolder, tunnelOf } from "./support.ts";

export const drain: Drain = {
  ...{ migration: "m1", renumbered: "10.2.0.50", begunMs: 1_000_000 },
  ...{ idleTimeoutS: 60, capS: 86_400, nameUpdatedMs: 1_000_000, nameTtlS: 0 },
};

/** At home: web1 has been moved to host-b and renumbered. */
export const draining: GuestRecord = {
  ...recordOf("web1", 10),
  redirect: { host: "host-b", tunnel: aToB, drain },
};

/** At host-b. */
export const hosted: GuestRecord = {
  ...recordOf("web1", 10),
  hosting: {
    ...{ stage: "running", tableIndex: 0, homeTunnel: bToA, sourceTunnel: null },
    renumbered: "10.2.0.50",
  },
};

/** A session from a client to the guest's old address. */
export function session(id: string, change: Partial<TrackedFlow> = {}): TrackedFlow {
  const counted = { icmp: null, packets: 1, bytes: 100 };
  const [client, guest] = ["192.0.2.2", "10.1.0.10"];
  return {
    ...{ id, protocol: 6, expiresS: 431_000, state: "ESTABLISHED", replied: true, assured: true },
    ...{ expected: false, mark: 0, zone: 0, startedMs: null, windowScale: null },
    verificationTags: null,
    original: {
      ...{ source: client, sourcePort: 40_000 + Number(id), destination: guest },
      ...{ destinationPort: 7, ...counted },
    },
    reply: {
      ...{ source: guest, sourcePort: 7, destination: client },
      ...{ destinationPort: 40_000 + Number(id), ...counted },
    },
    ...change,
  };
}

/** A host as far as drains are concerned: its records are on a disk, its kernel is in memory. */
export class DrainHost implements Disposable {
  readonly #folder = temporaryFolder();
  readonly facts: HostFacts;
  readonly records = new RecordStore(this.#folder.path);
  readonly network: HostNetwork;
  #flows: TrackedFlow[] = [];
  #flowsSetMs = 0;
  /** What happened, in order. */
  readonly log: string[] = [];
  /** Thrown by the kernel at the next change of the network, or look at flows. */
  networkFailure: Error | null = null;
  flowsFailure: Error | null = null;
  isGuestStanding = false;
  isArriving = false;
  isLeaving = false;
  looks = 0;

  constructor(facts: HostFacts) {
    this.facts = facts;
    this.network = this.#network();
  }

  /** What its connection tracking knows; expiry runs down from then on. */
  set flows(flows: TrackedFlow[]) {
    this.#flows = flows;
    this.#flowsSetMs = monotonicMs();
  }

  get flows(): TrackedFlow[] {
    const passedS = Math.floor((monotonicMs() - this.#flowsSetMs) / 1000);
    return this.#flows.map((flow) => ({
      ...flow,
      expiresS: flow.expiresS === null ? null : flow.expiresS - passedS,
    }));
  }

  /** As it is once the network is as the records say. */
  async reconcile(): Promise<void> {
    await this.network.reconcile();
    this.log.length = 0;
  }

  #network(): HostNetwork {
    const apply = async (desired: DesiredState) => {
      // As slow as a kernel, so that what happens meanwhile does happen meanwhile.
      await Promise.resolve();
      if (this.networkFailure !== null) {
        this.log.push("refused");
        throw this.networkFailure;
      }
      const ways = desired.routes.filter(({ device }) => device?.startsWith("tun-"));
      this.log.push(`${ways.length} routes into tunnels`);
    };
    const tunnels = {
      ensure: async (spec: TunnelSpec) => tunnelOf(spec),
      list: async () => [],
      remove: async () => void this.log.push("no tunnel"),
    };
    const routing = { apply, warm: async () => {} };
    return new HostNetwork(
      this.facts,
      tunnels as unknown as Tunnels,
      routing as unknown as RoutingPlane,
      this.records,
      createLogger("silent"),
    );
  }

  context(parts: Pick<DrainContext, "peer" | "tell" | "boot">): DrainContext {
    const { facts: host, records, network } = this;
    return {
      ...{ host, records, network, logger: createLogger("silent") },
      journal: { isHeld: () => false, refuseHeld: () => {} },
      flows: {
        read: async () => {
          this.looks += 1;
          if (this.flowsFailure !== null) throw this.flowsFailure;
          return this.flows;
        },
        forget: async (flows: readonly TrackedFlow[]) => {
          this.log.push(`forget ${flows.map(({ id }) => id).join(",")}`);
          const ids = new Set(flows.map(({ id }) => id));
          this.#flows = this.#flows.filter(({ id }) => !ids.has(id));
          return flows.length;
        },
      },
      isGuestStanding: () => this.isGuestStanding,
      isArriving: () => this.isArriving,
      isLeaving: () => this.isLeaving,
      ...parts,
    } as unknown as DrainContext;
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}

/** A home and the host where its guest is, with a network between them that may be cut. */
export class DrainWorld implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly home = new DrainHost(hostA);
  readonly away = new DrainHost(hostB);
  /** Told to the rest of the world. */
  readonly told: string[] = [];
  isReachable = true;
  /** The answer to the next so many calls is lost. */
  answersToLose = 0;
  boot = "boot-1";
  readonly #there: Retirements;
  drains: Drains;
  retirements: Retirements;

  constructor() {
    this.home.records.put(draining);
    this.away.records.put(hosted);
    const nobody = { draining: () => true, retired: () => {} };
    const toHome = this.#caller("host-b", () => this.retirements);
    const there = this.away.context({ peer: () => toHome, tell: nobody, boot: "boot-b" });
    this.#there = new Retirements(there, { idleMs: () => null, retiring: null as never });
    [this.drains, this.retirements] = this.#start();
  }

  get awayRetirements(): Retirements {
    return this.#there;
  }

  /** The daemons begin, which have found the networks of both hosts as the records say. */
  async begin(): Promise<void> {
    await Promise.all([this.home.reconcile(), this.away.reconcile()]);
    this.drains.begin();
    await settled();
  }

  /** The home's daemon ends and another one begins. */
  async restart(): Promise<void> {
    await this.drains[Symbol.asyncDispose]();
    [this.drains, this.retirements] = this.#start();
    this.drains.begin();
  }

  pass(forMs: number, stepMs = 500): Promise<void> {
    return pass(this.clock, forMs, stepMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drains[Symbol.asyncDispose]();
    this.home[Symbol.dispose]();
    this.away[Symbol.dispose]();
    this.clock[Symbol.dispose]();
  }

  #start(): [Drains, Retirements] {
    const context = this.home.context({
      peer: () => this.#caller("host-a", () => this.#there),
      boot: this.boot,
      tell: {
        draining: ({ guest }) => {
          this.told.push(`draining ${guest}`);
          return true;
        },
        retired: ({ guest, departed }) =>
          void this.told.push(`retired ${guest} ${departed.reason}`),
      },
    });
    const drains = new Drains(context);
    return [drains, new Retirements(context, drains)];
  }

  #caller(from: string, to: () => Retirements): ReturnType<DrainContext["peer"]> {
    const call = async (name: "retire-redirect" | "retire-guest", request: never) => {
      if (!this.isReachable) throw new SojournError("SOJ_PEER_UNREACHABLE", "no answer");
      const answer = await to().handlers()[name](request, { peer: from, addresses: [] });
      if (this.answersToLose > 0) {
        this.answersToLose -= 1;
        throw new SojournError("SOJ_PEER_UNREACHABLE", "the answer is lost");
      }
      return answer;
    };
    return { peer: "", call } as never;
  }
}
