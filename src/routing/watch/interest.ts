import { isOurInterface } from "../../platform/names.ts";
import { type DesiredState, mainTable } from "../desired.ts";

/** What has the place of something of ours, whatever it is marked as. What carries our mark matters in any case. */
export interface Interest {
  /** Links whose own state, addresses, classifiers and switches matter. */
  devices: ReadonlySet<string>;
  /** `routeKey` of every wanted route. */
  routes: ReadonlySet<string>;
  rulePriorities: ReadonlySet<string>;
  neighbours: ReadonlySet<string>;
  /** MAC addresses that stand in bridges' tables for us. */
  macs: ReadonlySet<string>;
}

/** The interest of a host on which nothing is wanted. */
export const nothingWanted: Interest = {
  devices: new Set(),
  routes: new Set(),
  rulePriorities: new Set(),
  neighbours: new Set(),
  macs: new Set(),
};

/** A route's table and prefix as one text; `prefix` as `ip` prints it, without `/32`. */
export function routeKey(table: string, prefix: string): string {
  return `${table} ${prefix}`;
}

/**
 * What to look out for when `desired`, normalised, is wanted. Pure.
 * @param devices further links that matter: those that carry tunnels.
 */
export function interestIn(desired: DesiredState, devices: readonly string[]): Interest {
  return {
    devices: new Set([...devices, ...devicesIn(desired)]),
    routes: new Set(
      desired.routes.map(({ table, prefix }) => routeKey(`${table}`, prefix.replace(/\/32$/, ""))),
    ),
    rulePriorities: new Set(desired.rules.map(({ priority }) => `${priority}`)),
    neighbours: new Set(desired.neighbours.map(({ address }) => address)),
    macs: new Set(desired.fdb.map(({ mac }) => mac)),
  };
}

/** Bridges, taps and both ends of tunnels: not what the barrier, or a question to the kernel, makes for a moment. */
export function isKeptInterface(name: string): boolean {
  return isOurInterface(name) && "bptx".includes(name[2] ?? " ");
}

/** The table of a route of which `ip` names none. */
export const unnamedTable = `${mainTable}`;

function devicesIn({ bridges, taps, routes, neighbours, filter }: DesiredState): string[] {
  return [
    ...bridges.map(({ name }) => name),
    ...taps.flatMap(({ name, bridge }) => [name, bridge]),
    ...routes.flatMap(({ device }) => device ?? []),
    ...neighbours.map(({ device }) => device),
    ...filter.guestFrames.map(({ bridge }) => bridge),
  ];
}
