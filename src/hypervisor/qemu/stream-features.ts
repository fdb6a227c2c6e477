import { SojournError } from "../../platform/errors.ts";
import type { StreamCompression, StreamFeatures } from "../hypervisor.ts";
import { type Execute, knownCapabilities, switchCapabilities } from "./capabilities.ts";
import { QmpCommandError } from "./qmp/errors.ts";

export const noFeatures: StreamFeatures = {
  postCopy: false,
  multifdChannels: 0,
  compression: "none",
};

/** Most channels that QEMU takes (QAPI `multifd-channels`). */
const mostChannels = 255;

/**
 * Sets, of `wanted`, what this QEMU takes, unsets the rest, and gives what is set. What an earlier stream of this process
 * has left does not stay. Where QEMU does not take all at once (10.0: "Postcopy is not yet compatible with multifd"), the
 * channels are dropped first. QAPI `postcopy-ram`, `multifd`, `multifd-channels`, `multifd-compression`.
 */
export async function setFeatures(
  execute: Execute,
  wanted: StreamFeatures,
): Promise<StreamFeatures> {
  const known = await knownCapabilities(execute);
  for (const { postCopy, multifd } of choices(wanted)) {
    if (!(await takes(execute, known, { "postcopy-ram": postCopy, multifd }))) continue;
    if (!multifd) return { ...noFeatures, postCopy };
    const multifdChannels = Math.min(wanted.multifdChannels, mostChannels);
    await setParameters(execute, { "multifd-channels": multifdChannels });
    const compression = await setCompression(execute, wanted.compression);
    return { postCopy, multifdChannels, compression };
  }
  return noFeatures;
}

/** Sets exactly these, which the other side has set. @throws SojournError `SOJ_HYPERVISOR_REFUSED` when it cannot */
export async function requireFeatures(execute: Execute, wanted: StreamFeatures): Promise<void> {
  const set = await setFeatures(execute, wanted);
  const lacks = [
    ...(set.postCopy === wanted.postCopy ? [] : ["post-copy"]),
    ...(set.multifdChannels === wanted.multifdChannels ? [] : ["channels"]),
    ...(set.compression === wanted.compression ? [] : ["compression"]),
  ];
  if (lacks.length === 0) return;
  throw new SojournError(
    "SOJ_HYPERVISOR_REFUSED",
    `the destination expects a stream that this QEMU cannot send: ${lacks.join(", ")}`,
    { hint: "the guest runs on; sojourn asks both QEMUs first, so one of them was exchanged" },
  );
}

/** What QEMU is asked for, one after the other, until it agrees. */
function choices({ postCopy, multifdChannels }: StreamFeatures) {
  const multifd = multifdChannels > 0;
  return [
    { postCopy, multifd },
    { postCopy, multifd: false },
    { postCopy: false, multifd },
    { postCopy: false, multifd: false },
  ];
}

async function takes(
  execute: Execute,
  known: ReadonlySet<string>,
  states: Record<string, boolean>,
): Promise<boolean> {
  const entries = Object.entries(states);
  if (entries.some(([name, state]) => state && !known.has(name))) return false;
  const settable = entries.filter(([name]) => known.has(name));
  return await isTaken(switchCapabilities(execute, Object.fromEntries(settable)));
}

/** A method that was not built into this QEMU is no value of its parameter. */
async function setCompression(
  execute: Execute,
  wanted: StreamCompression,
): Promise<StreamCompression> {
  if (await isTaken(setParameters(execute, { "multifd-compression": wanted }))) return wanted;
  await setParameters(execute, { "multifd-compression": "none" });
  return "none";
}

async function setParameters(
  execute: Execute,
  parameters: Record<string, string | number>,
): Promise<void> {
  await execute("migrate-set-parameters", parameters);
}

async function isTaken(asked: Promise<void>): Promise<boolean> {
  try {
    await asked;
    return true;
  } catch (error) {
    if (error instanceof QmpCommandError) return false;
    throw error;
  }
}
