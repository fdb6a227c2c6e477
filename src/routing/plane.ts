import { runCommand } from "../platform/command.ts";
import { preconditionError, SojournError } from "../platform/errors.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { Logger } from "../platform/log.ts";
import { type Action, describe, planLines } from "./actions.ts";
import { addressUser } from "./address-user.ts";
import { knownNeighbours, neighbourMac } from "./ask-neighbour.ts";
import { openBarrierProber, openBarrierResponder, probeThroughBarrier } from "./barrier/index.ts";
import { type DesiredState, emptyDesiredState, nftTable, type RoutingPlane } from "./desired.ts";
import { diff } from "./diff.ts";
import { executeAll } from "./execute.ts";
import { FastRoutes } from "./fast-routes.ts";
import type { KernelState } from "./kernel-state.ts";
import { readLinkSpeed } from "./link-speed.ts";
import { LoadedTables } from "./loaded-tables.ts";
import { lookUpRoute, readLink, readSnapshot } from "./netlink/reader.ts";
import { RouteNetlink } from "./netlink/socket.ts";
import { checkAddress, checkDevice, normalise } from "./normalise.ts";
import { primeTap } from "./prime-tap.ts";
import { RefusedPackets } from "./refused-packets.ts";
import { copySetName } from "./ruleset.ts";
import { type SysctlMemory, SysctlStore } from "./sysctl-memory.ts";
import { hasIpv6, readSysctl } from "./sysctls.ts";
import { emptyQueue, lengthenQueue, readCounters } from "./transmit-queue.ts";

export interface RoutingPlaneOptions {
  logger: Logger;
  /** Where the sysctl values from before our changes are kept (`sysctls.json`); null or absent: in memory. */
  stateFolder?: string | null;
}

const mostPasses = 3;

/**
 * Opens the kernel state of this process's network namespace. Disposing closes the sockets and leaves the
 * kernel state as it is.
 */
export async function openRoutingPlane(options: RoutingPlaneOptions): Promise<RoutingPlane> {
  const { logger } = options;
  const store = new SysctlStore(options.stateFolder ?? null);
  const netlink = new RouteNetlink();
  const fastRoutes = new FastRoutes();
  const loadedTables = new LoadedTables();
  const refused = new RefusedPackets();
  await refused.read().catch(() => null);
  const lock = new AsyncLock();
  const armed = new Set<string>();
  let copies = emptyDesiredState.filter.copies;

  const findActions = async (wanted: DesiredState): Promise<Action[]> => {
    const memory = await store.read();
    const kernel = await readKernel(netlink, loadedTables, wanted, memory);
    return diff(kernel, wanted, memory, armed);
  };

  const apply = async (desired: DesiredState) => {
    const wanted = normalise(desired);
    const outcome = { made: [] as string[], removed: [] as string[] };
    for (let pass = 1; ; pass++) {
      const actions = await findActions(wanted);
      if (actions.length === 0) break;
      if (pass > mostPasses) throw unsettled(actions);
      const loads = actions.some(({ change }) => change.kind === "load-tables");
      if (loads) await refused.read().catch(() => null);
      await executeAll(actions, store);
      if (loads) loadedTables.forget();
      for (const { effect, run } of actions) {
        if (run === null) continue;
        logger.debug({ command: describe(run) }, "kernel state changed");
        outcome[effect === "make" ? "made" : "removed"].push(describe(run));
      }
    }
    copies = wanted.filter.copies;
    for (const address of armed) {
      if (!copies.some((copy) => copy.address === address)) armed.delete(address);
    }
    return outcome;
  };

  const setsOf = (address: string): string[] => {
    const sets = copies.filter((copy) => copy.address === address).map(copySetName);
    if (sets.length > 0) return sets;
    throw preconditionError(
      "SOJ_ROUTING_NOT_PREPARED",
      `copying of packets for ${address} was not prepared on this host`,
    );
  };

  return {
    apply: (desired) => lock.run(() => apply(desired)),
    plan: (desired) => lock.run(async () => planLines(await findActions(normalise(desired)))),
    replaceRoute: (route) => fastRoutes.replace(route),
    deleteRoute: (route) => fastRoutes.remove(route),
    warm: (devices) => fastRoutes.warm(devices),
    arm: (address) =>
      lock.run(async () => {
        for (const set of setsOf(checkAddress(address))) {
          await runCommand("nft", ["add", "element", "ip", nftTable, set, `{ ${address} }`]);
        }
        armed.add(address);
      }),
    disarm: (address) =>
      lock.run(async () => {
        const sets = copies.filter((copy) => copy.address === address).map(copySetName);
        for (const set of sets) await runCommand("nft", ["flush", "set", "ip", nftTable, set]);
        armed.delete(address);
      }),
    linkMtu: async (device) => (await readLink(netlink, checkDevice(device)))?.mtu ?? null,
    linkMac: async (device) => (await readLink(netlink, checkDevice(device)))?.mac ?? null,
    linkCounters: (device) => readCounters(netlink, checkDevice(device)),
    linkSpeed: (device) => readLinkSpeed(checkDevice(device)),
    lengthenQueue: (device, length) => lengthenQueue(netlink, checkDevice(device), length),
    refusedPackets: () => refused.read(),
    primeTap: async (device, mac) => primeTap(checkDevice(device), mac),
    emptyQueue: (device) => emptyQueue(netlink, checkDevice(device)),
    routeTo: (address) => routeTo(netlink, checkAddress(address)),
    addressUser: (device, address) =>
      addressUser(netlink, checkDevice(device), checkAddress(address)),
    neighbourMac: (device, address) =>
      neighbourMac(netlink, checkDevice(device), checkAddress(address)),
    knownNeighbours: (device) => knownNeighbours(netlink, checkDevice(device)),
    openBarrierResponder: (end) => openBarrierResponder(end),
    openBarrierProber: (end) => openBarrierProber(end),
    probeThroughBarrier: (end, probe) => probeThroughBarrier(end, probe),
    async [Symbol.asyncDispose]() {
      await lock.run(async () => undefined);
      netlink[Symbol.dispose]();
      fastRoutes[Symbol.dispose]();
      refused[Symbol.dispose]();
    },
  };
}

async function readKernel(
  netlink: RouteNetlink,
  loadedTables: LoadedTables,
  wanted: DesiredState,
  memory: SysctlMemory,
): Promise<KernelState> {
  const paths = new Set([...wanted.sysctls.map(({ path }) => path), ...memory.keys()]);
  const values = [...paths].map(async (path) => [path, await readSysctl(path)] as const);
  const [snapshot, tables, sysctls] = await Promise.all([
    readSnapshot(netlink),
    loadedTables.read(),
    Promise.all(values),
  ]);
  return { ...snapshot, hasIpv6: hasIpv6(), tables, sysctls: new Map(sysctls) };
}

async function routeTo(netlink: RouteNetlink, address: string) {
  const found = await lookUpRoute(netlink, address).catch((cause) => {
    throw noRoute(address, cause);
  });
  if (found?.linkIndex == null || !found.sourceAddress) throw noRoute(address, undefined);
  const link = await readLink(netlink, found.linkIndex);
  if (link === null) throw noRoute(address, undefined);
  return { device: link.name, sourceAddress: found.sourceAddress };
}

function noRoute(address: string, cause: unknown): SojournError {
  return preconditionError("SOJ_ROUTING_NO_ROUTE", `this host has no route to ${address}`, {
    cause,
    hint: `ip route get ${address}`,
  });
}

function unsettled(actions: readonly Action[]): SojournError {
  const lines = actions.flatMap(({ run }) => (run === null ? [] : [describe(run)]));
  return new SojournError(
    "SOJ_ROUTING_UNSETTLED",
    `after ${mostPasses} passes the kernel still differs from what is wanted: ${lines.slice(0, 5).join("; ")}`,
    { retryable: true, hint: "something else may be changing the same objects" },
  );
}
