import { SojournError } from "../../platform/errors.ts";
import { isObject } from "./qmp/messages.ts";

export type Execute = (command: string, args?: Record<string, unknown>) => Promise<unknown>;

/**
 * Sets `wanted` and, of `welcome`, those that there are; gives all that are set. `validate-uuid` is always
 * welcome: both sides then compare the guest's UUID.
 * @throws SojournError `SOJ_HYPERVISOR_REFUSED` when there is one that this QEMU does not have
 */
export async function setCapabilities(
  execute: Execute,
  wanted: readonly string[],
  welcome: readonly string[] = [],
): Promise<string[]> {
  const known = await knownCapabilities(execute);
  const missing = wanted.filter((capability) => !known.has(capability));
  if (missing.length > 0) {
    throw new SojournError(
      "SOJ_HYPERVISOR_REFUSED",
      `this QEMU cannot migrate safely: it lacks ${missing.join(", ")}`,
    );
  }
  const found = [...welcome, "validate-uuid"].filter((capability) => known.has(capability));
  const set = [...wanted, ...found];
  await switchCapabilities(execute, Object.fromEntries(set.map((name) => [name, true])));
  return set;
}

/** Those that this QEMU knows, set or not. */
export async function knownCapabilities(execute: Execute): Promise<ReadonlySet<string>> {
  const reply = await execute("query-migrate-capabilities");
  const names = (Array.isArray(reply) ? reply : [])
    .filter(isObject)
    .map(({ capability }) => capability)
    .filter((name) => typeof name === "string");
  return new Set(names);
}

/** Sets each to what it says, all or none. @throws QmpCommandError when QEMU does not take them together */
export async function switchCapabilities(
  execute: Execute,
  states: Readonly<Record<string, boolean>>,
): Promise<void> {
  const capabilities = Object.entries(states).map(([capability, state]) => ({ capability, state }));
  if (capabilities.length > 0) await execute("migrate-set-capabilities", { capabilities });
}
