import { usageError } from "../../platform/errors.ts";
import type { ThrottleParameters } from "../hypervisor.ts";
import { type Execute, knownCapabilities, switchCapabilities } from "./capabilities.ts";

const capability = "auto-converge";

/**
 * Lets QEMU slow the guest's processors once its passes do not get shorter, or, for null, not. QEMU ends the slowing with
 * the stream, however that ends. QAPI `auto-converge`, `cpu-throttle-initial`, `-increment`, `max-cpu-throttle`.
 * @throws SojournError `SOJ_USAGE` for values QEMU would not take.
 */
export async function setThrottle(
  execute: Execute,
  throttle: ThrottleParameters | null,
): Promise<void> {
  if (throttle === null) {
    const known = await knownCapabilities(execute);
    if (known.has(capability)) await switchCapabilities(execute, { [capability]: false });
    return;
  }
  await execute("migrate-set-parameters", {
    "cpu-throttle-initial": percent(throttle.initialPercent),
    "cpu-throttle-increment": percent(throttle.incrementPercent),
    "max-cpu-throttle": percent(throttle.maximumPercent),
  });
  await switchCapabilities(execute, { [capability]: true });
}

function percent(value: number): number {
  const rounded = Math.round(value);
  if (rounded >= 1 && rounded <= 99) return rounded;
  throw usageError(`a throttle of ${value} % is not between 1 and 99`);
}
