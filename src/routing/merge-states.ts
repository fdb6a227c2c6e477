import type { DesiredState } from "./desired.ts";

/** One state from several: equal objects once, the guests of one tunnel together. */
export function mergeStates(parts: readonly DesiredState[]): DesiredState {
  const guestsOf = new Map<string, Set<string>>();
  for (const { device, guests } of parts.flatMap((part) => part.filter.tunnelGuests)) {
    const known = guestsOf.get(device) ?? new Set();
    for (const guest of guests) known.add(guest);
    guestsOf.set(device, known);
  }
  return {
    bridges: unique(parts.flatMap((part) => part.bridges)),
    taps: unique(parts.flatMap((part) => part.taps)),
    routes: unique(parts.flatMap((part) => part.routes)),
    rules: unique(parts.flatMap((part) => part.rules)),
    neighbours: unique(parts.flatMap((part) => part.neighbours)),
    fdb: unique(parts.flatMap((part) => part.fdb)),
    sysctls: unique(parts.flatMap((part) => part.sysctls)),
    filter: {
      tunnelGuests: [...guestsOf].map(([device, guests]) => ({ device, guests: [...guests] })),
      gatewayFrames: unique(parts.flatMap((part) => part.filter.gatewayFrames)),
      guestFrames: unique(parts.flatMap((part) => part.filter.guestFrames)),
      copies: unique(parts.flatMap((part) => part.filter.copies)),
      sizeLimits: unique(parts.flatMap((part) => part.filter.sizeLimits)),
      tracking: parts.some((part) => part.filter.tracking),
      renumbered: unique(parts.flatMap((part) => part.filter.renumbered)),
    },
  };
}

function unique<Item>(items: readonly Item[]): Item[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}
