import type { DrainContext } from "../migrator/drain-context.ts";
import { Drains } from "../migrator/drains.ts";
import { Retirements } from "../migrator/retirements.ts";
import { bootId } from "../platform/boot.ts";

/** Whoever sees to the ends of this host's redirects; nothing is begun before `drains.begin()`. */
export function createDrains(context: Omit<DrainContext, "boot">) {
  const all: DrainContext = { ...context, boot: bootId() };
  const drains = new Drains(all);
  return { drains, retirements: new Retirements(all, drains) };
}
