import type { DesiredState, TunnelGuests } from "./desired.ts";

/** One state from several: equal objects once, the guests of one tunnel together. */
export function mergeStates(parts: readonly DesiredState[]): DesiredState {
  return {
    bridges: unique(parts.flatMap((part) => part.bridges)),
    taps: unique(parts.flatMap((part) => part.taps)),
    routes: unique(parts.flatMap((part) => part.routes)),
    rules: unique(parts.flatMap((part) => part.rules)),
    neighbours: unique(parts.flatMap((part) => part.neighbours)),
    fdb: unique(parts.flatMap((part) => part.fdb)),
    sysctls: unique(parts.flatMap((part) => part.sysctls)),
    filter: {
      tunnelGuests: mergeTunnelGuests(parts.flatMap((part) => part.filter.tunnelGuests)),
      tunnelEnds: unique(parts.flatMap((part) => part.filter.tunnelEnds)),
      gatewayFrames: unique(parts.flatMap((part) => part.filter.gatewayFrames)),
      guestFrames: unique(parts.flatMap((part) => part.filter.guestFrames)),
      copies: unique(parts.flatMap((part) => part.filter.copies)),
      sizeLimits: unique(parts.flatMap((part) => part.filter.sizeLimits)),
      tracking: parts.some((part) => part.filter.tracking),
      renumbered: unique(parts.flatMap((part) => part.filter.renumbered)),
    },
  };
}

/** One entry for each tunnel. */
export function mergeTunnelGuests(entries: readonly TunnelGuests[]): TunnelGuests[] {
  const devices = unique(entries.map(({ device }) => device));
  return devices.map((device) => {
    const ofDevice = entries.filter((entry) => entry.device === device);
    const from = unique(ofDevice.flatMap((entry) => entry.from));
    const to = unique(ofDevice.flatMap((entry) => entry.to));
    return { device, from, to };
  });
}

function unique<Item>(items: readonly Item[]): Item[] {
  if (items.length < 2) return [...items];
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
