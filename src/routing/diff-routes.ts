import { type Action, ip } from "./actions.ts";
import {
  type DesiredState,
  ourProtocol,
  type PacketMark,
  type Route,
  type Rule,
} from "./desired.ts";
import { foreignObject } from "./failures.ts";
import type { KernelRoute, KernelRule, KernelState } from "./kernel-state.ts";

/** @throws SojournError `SOJ_ROUTING_FOREIGN` for a route of somebody else's with the same table and prefix. */
export function makeRoutes(kernel: KernelState, desired: DesiredState): Action[] {
  return desired.routes.flatMap((route) => {
    const inPlace = kernel.routes.filter((other) => other.metric === 0 && isSameKey(route, other));
    const foreign = inPlace.find((other) => other.protocol !== ourProtocol);
    if (foreign !== undefined) {
      throw foreignObject(`route ${routeArgs(foreign).join(" ")} proto ${foreign.protocol}`);
    }
    const [old] = inPlace;
    const made: KernelRoute = { ...route, protocol: ourProtocol, metric: 0, unusual: false };
    if (old === undefined) return [addRoute(made)];
    return inPlace.some((other) => isSameRoute(route, other)) ? [] : [replaceRoute(made, old)];
  });
}

/** Routes of ours that are not wanted. */
export function removeRoutes(kernel: KernelState, desired: DesiredState): Action[] {
  const wantsKey = (route: KernelRoute) =>
    route.metric === 0 && desired.routes.some((other) => isSameKey(route, other));
  return kernel.routes
    .filter((route) => route.protocol === ourProtocol && !wantsKey(route))
    .map((route) => ({
      effect: "remove",
      change: { kind: "remove-route", route },
      run: ip("route", "del", ...routeArgs(route), "proto", String(ourProtocol)),
      undo: [routeLine("add", route)],
    }));
}

/** @throws SojournError `SOJ_ROUTING_FOREIGN` for a rule of somebody else's with the same priority and selector. */
export function makeRules(kernel: KernelState, desired: DesiredState): Action[] {
  return desired.rules.flatMap((rule) => {
    const inPlace = kernel.rules.filter((other) => !other.unusual && isSameSelector(rule, other));
    const foreign = inPlace.find((other) => other.protocol !== ourProtocol);
    if (foreign !== undefined) {
      throw foreignObject(`rule ${ruleArgs(foreign).join(" ")} protocol ${foreign.protocol}`);
    }
    if (inPlace.some((other) => other.table === rule.table)) return [];
    const made: KernelRule = { ...rule, protocol: ourProtocol, unusual: false };
    return [
      {
        effect: "make" as const,
        change: { kind: "add-rule" as const, rule: made },
        run: ruleLine("add", made),
        undo: [ruleLine("del", made)],
      },
    ];
  });
}

/** Rules of ours that are not wanted. */
export function removeRules(kernel: KernelState, desired: DesiredState): Action[] {
  const isWanted = (rule: KernelRule) =>
    !rule.unusual &&
    desired.rules.some((other) => isSameSelector(rule, other) && rule.table === other.table);
  return kernel.rules
    .filter((rule) => rule.protocol === ourProtocol && !isWanted(rule))
    .map((rule) => ({
      effect: "remove",
      change: { kind: "remove-rule", rule },
      run: ruleLine("del", rule),
      undo: [ruleLine("add", rule)],
    }));
}

/** The route as iproute2 spells it, without its protocol. */
export function routeArgs(route: Route & { metric?: number }): string[] {
  return [
    ...(route.type === "unicast" ? [] : [route.type]),
    route.prefix,
    ...(route.via === null ? [] : ["via", route.via]),
    ...(route.device === null ? [] : ["dev", route.device]),
    ...(route.via === null ? [] : ["onlink"]),
    "table",
    String(route.table),
    ...(route.metric === undefined || route.metric === 0 ? [] : ["metric", String(route.metric)]),
    ...(route.mtu === null ? [] : ["mtu", String(route.mtu)]),
  ];
}

/** The rule as iproute2 spells it, without its protocol. */
export function ruleArgs(rule: Rule): string[] {
  return [
    "pref",
    String(rule.priority),
    ...(rule.iif === null ? [] : ["iif", rule.iif]),
    "from",
    rule.from ?? "all",
    ...(rule.to === null ? [] : ["to", rule.to]),
    ...(rule.mark === undefined ? [] : ["fwmark", markText(rule.mark)]),
    "lookup",
    String(rule.table),
    ...(rule.hostRoutesOnly === true ? ["suppress_prefixlength", "31"] : []),
  ];
}

function addRoute(route: KernelRoute): Action {
  return {
    effect: "make",
    change: { kind: "add-route", route },
    run: routeLine("add", route),
    undo: [ip("route", "del", ...routeArgs(route), "proto", String(ourProtocol))],
  };
}

function replaceRoute(route: KernelRoute, old: KernelRoute): Action {
  return {
    effect: "make",
    change: { kind: "replace-route", route },
    run: routeLine("replace", route),
    undo: [routeLine("replace", old)],
  };
}

function routeLine(verb: "add" | "replace", route: KernelRoute) {
  return ip("route", verb, ...routeArgs(route), "proto", String(ourProtocol));
}

function ruleLine(verb: "add" | "del", rule: KernelRule) {
  return ip("rule", verb, ...ruleArgs(rule), "protocol", String(ourProtocol));
}

function isSameKey(a: Route, b: Route): boolean {
  return a.table === b.table && a.prefix === b.prefix;
}

function isSameRoute(route: Route, other: KernelRoute): boolean {
  return (
    !other.unusual &&
    route.type === other.type &&
    route.device === other.device &&
    route.via === other.via &&
    route.mtu === other.mtu
  );
}

function isSameSelector(a: Rule, b: Rule): boolean {
  return (
    a.priority === b.priority &&
    a.iif === b.iif &&
    a.from === b.from &&
    a.to === b.to &&
    a.mark?.value === b.mark?.value &&
    a.mark?.mask === b.mark?.mask &&
    a.hostRoutesOnly === b.hostRoutesOnly
  );
}

function markText({ value, mask }: PacketMark): string {
  return `0x${value.toString(16)}/0x${mask.toString(16)}`;
}
