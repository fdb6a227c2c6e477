import { readFile } from "node:fs/promises";
import { z } from "zod";

export const hostCpuSchema = z.object({
  model: z.string().max(300),
  /** Sorted, each once. */
  features: z.string().max(16_384),
});

/** A host's first processor, as far as a guest that is given it sees it. */
export type HostCpu = z.output<typeof hostCpuSchema>;

export async function readHostCpu(): Promise<HostCpu> {
  return cpuOf(await readFile("/proc/cpuinfo", "utf8"));
}

/** Model and features of the first processor of proc_cpuinfo(5). Pure. */
export function cpuOf(cpuInfo: string): HostCpu {
  const value = (key: string) => new RegExp(`^${key}\\s*:\\s*(.*)$`, "m").exec(cpuInfo)?.[1] ?? "";
  const model = ["vendor_id", "cpu family", "model", "stepping"].map(value).join(" ");
  const features = [...new Set(value("flags").split(/\s+/))].toSorted().join(" ").trim();
  return { model: model.slice(0, 300), features: features.slice(0, 16_384) };
}

/**
 * Whether a guest that has been given this host's processor (`asked`: in which words) finds the same there. Pure.
 */
export function compareHostCpus(
  asked: string,
  here: HostCpu,
  there: HostCpu,
): { result: "warn" | "fail"; detail: string } {
  if (here.features === there.features && here.model === there.model) {
    return { result: "warn", detail: `${asked}: the same processor today; microcode may differ` };
  }
  const [ours, theirs] = [here, there].map(({ features }) => new Set(features.split(" ")));
  const missing = [...(ours ?? [])].filter((feature) => !theirs?.has(feature));
  const lacking = missing.length === 0 ? there.model : `without ${missing.slice(0, 8).join(" ")}`;
  const detail = `${asked} is this host's processor, and that one is another: ${lacking}`;
  return { result: "fail", detail };
}
