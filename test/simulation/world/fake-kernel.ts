import { desiredNetwork } from "../../../src/migrator/desired-network.ts";
import { type HostFacts, requiredTunnels } from "../../../src/migrator/network.ts";
import type { GuestRecord } from "../../../src/migrator/records.ts";
import { AsyncLock } from "../../../src/platform/lock.ts";
import type {
  BarrierEnd,
  DesiredState,
  Route,
  RoutingPlane,
} from "../../../src/routing/desired.ts";
import { emptyDesiredState } from "../../../src/routing/desired.ts";
import type { TunnelInterface, TunnelSpec, Tunnels } from "../../../src/tunnels/tunnel.ts";
import { FakeFlows } from "./fake-flow-table.ts";

/** A host's network as its daemons left it; what the kernel keeps when a daemon ends. */
export class FakeKernel {
  readonly tunnels = new Map<string, TunnelInterface>();
  desired: DesiredState = emptyDesiredState;
  routes = new Map<string, Route>();
  readonly armed = new Set<string>();
  readonly barriers = new Set<string>();
  readonly flows = new FakeFlows();
  /** Called when what packets meet here is another. */
  onChanged: () => void = () => {};

  /** A reboot. */
  clear(): void {
    this.tunnels.clear();
    this.armed.clear();
    this.barriers.clear();
    this.flows.clear();
    this.apply(emptyDesiredState);
  }

  apply(desired: DesiredState): void {
    this.desired = desired;
    this.routes = new Map(desired.routes.map((route) => [routeKey(route), route]));
    const copied = new Set(desired.filter.copies.map(({ address }) => address));
    for (const address of this.armed) if (!copied.has(address)) this.armed.delete(address);
    this.onChanged();
  }

  /** What differs from a host on which nothing but these records has ever been. */
  differencesFrom(host: HostFacts, records: readonly GuestRecord[]): string[] {
    const wanted = new FakeKernel();
    const specs = requiredTunnels(records);
    for (const spec of specs) wanted.tunnels.set(tunnelOf(spec).interfaceName, tunnelOf(spec));
    wanted.apply(desiredNetwork(host, records, tunnelOf));
    const differences: string[] = [];
    for (const part of ["tunnels", "routes", "armed", "barriers", "desired"] as const) {
      const [here, there] = [textOf(this[part]), textOf(wanted[part])];
      if (here !== there) differences.push(`${host.name}: ${part}: ${here} instead of ${there}`);
    }
    return differences;
  }
}

/** What the daemon's network code may do: takes time, may fail, ends with the daemon. */
export interface NetworkDoor {
  /** Resolves when an operation was carried out; rejects for one that is to fail. */
  operation(name: string): Promise<void>;
  /** Whether a probe gets through both ways, to the host with this underlay address. */
  isPathUp(remoteAddress: string): boolean;
  pause(delayMs: number): Promise<void>;
}

export function fakeTunnels(kernel: FakeKernel, door: NetworkDoor): Tunnels {
  return {
    choose: async () => ({ kind: "ipip", datapath: "kernel" }),
    plan: async () => [],
    describe: async (spec) => tunnelOf(spec),
    ensure: async (spec) => {
      await door.operation("make tunnel");
      const tunnel = tunnelOf(spec);
      kernel.tunnels.set(tunnel.interfaceName, tunnel);
      return tunnel;
    },
    remove: async (spec) => {
      await door.operation("remove tunnel");
      kernel.tunnels.delete(tunnelOf(spec).interfaceName);
      kernel.onChanged();
    },
    prepareUnderlay: async () => {},
    list: async () => [...kernel.tunnels.keys()],
    removeByName: async (name) => {
      await door.operation("remove tunnel");
      kernel.tunnels.delete(name);
      kernel.onChanged();
    },
    removeProbeLeftovers: async () => {},
    support: async () => [],
  };
}

export function fakeRouting(kernel: FakeKernel, door: NetworkDoor): RoutingPlane {
  const lock = new AsyncLock();
  const probed = new Map<string, string>();
  const barrier = async (name: string): Promise<BarrierEnd> => {
    await door.operation("open barrier");
    if (kernel.barriers.has(name)) throw new Error(`the namespace ${name} exists already`);
    kernel.barriers.add(name);
    return {
      namespace: name,
      [Symbol.asyncDispose]: async () => {
        await door.pause(2);
        kernel.barriers.delete(name);
      },
    };
  };
  return {
    apply: (desired) =>
      lock.run(async () => {
        await door.operation("apply");
        kernel.apply(desired);
        return { made: [], removed: [] };
      }),
    plan: async () => [],
    replaceRoute: async (route) => {
      await door.operation("replace route");
      kernel.routes.set(routeKey(route), route);
      kernel.onChanged();
    },
    deleteRoute: async (route) => {
      await door.operation("delete route");
      kernel.routes.delete(routeKey(route));
      kernel.onChanged();
    },
    warm: async () => {},
    refusedPackets: async () => ({ inner_address: 0, outer_address: 0, malformed: 0 }),
    // Also where nothing is prepared, which the real one refuses: nobody may come so late.
    arm: (address) =>
      lock.run(async () => {
        await door.operation("arm");
        kernel.armed.add(address);
      }),
    disarm: (address) =>
      lock.run(async () => {
        await door.operation("disarm");
        kernel.armed.delete(address);
      }),
    linkMtu: async () => 1500,
    linkCounters: async () => ({ txPackets: 0, txBytes: 0, txDropped: 0 }),
    linkSpeed: async () => null,
    lengthenQueue: async () => {},
    emptyQueue: async () => {},
    primeTap: async () => {},
    routeTo: async () => ({ device: "eth0", sourceAddress: "" }),
    linkMac: async () => "52:54:00:00:01:01",
    neighbourMac: async () => "52:54:00:00:01:01",
    knownNeighbours: async () => [],
    addressUser: async () => {
      await door.pause(3_000);
      return null;
    },
    openBarrierResponder: ({ id }) => barrier(`responder ${id}`),
    openBarrierProber: ({ id, tunnelDevice }) => {
      probed.set(`prober ${id}`, remoteOf(tunnelDevice));
      return barrier(`prober ${id}`);
    },
    probeThroughBarrier: async ({ namespace }, { timeoutMs }) => {
      const isUp = () => door.isPathUp(probed.get(namespace) ?? "");
      await door.pause(isUp() ? 3 : timeoutMs);
      return isUp();
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

const tunnelPrefix = "tun-";

/** The underlay address at the other end of a tunnel. */
export function remoteOf(tunnelDevice: string): string {
  return tunnelDevice.slice(tunnelPrefix.length);
}

function tunnelOf(spec: TunnelSpec): TunnelInterface {
  return {
    spec,
    interfaceName: `${tunnelPrefix}${spec.remoteAddress}`,
    datapath: "kernel",
    mtu: 1480,
    nextHop: null,
    nextHopMac: null,
  };
}

export function routeKey({ table, prefix }: Pick<Route, "table" | "prefix">): string {
  return `${table} ${prefix}`;
}

function textOf(part: unknown): string {
  if (part instanceof Map || part instanceof Set) return JSON.stringify([...part].sort());
  return JSON.stringify(part);
}
