import type { GuestDefinition } from "../../hypervisor/definition.ts";
import { treeDifferences } from "../../hypervisor/qemu/adoption/device-tree.ts";
import type { ExaminedQemu } from "../../hypervisor/qemu/adoption/examine.ts";
import { compareHostCpus } from "./host-cpu.ts";
import type { HostRehearsal } from "./procedures.ts";
import type { AdoptionCheck } from "./schemas.ts";

/** Whether a guest could be made again on a host, and be the same machine. Pure. */
export function judgeRehearsal(
  host: string,
  definition: GuestDefinition,
  examined: Pick<ExaminedQemu, "monitor" | "carried">,
  home: Pick<HostRehearsal, "cpu">,
  there: HostRehearsal,
): AdoptionCheck[] {
  const check = (subject: string, result: AdoptionCheck["result"], detail: string) => ({
    ...{ host, subject, result, detail },
  });
  if (there.missing_files.length > 0) {
    const files = there.missing_files.slice(0, 5).join(", ");
    return [check("files", "fail", `cannot read ${files}`)];
  }
  if (there.devices === null) {
    return [check("machine", "fail", there.failure ?? "it could not be made, and nobody said why")];
  }
  const differences = treeDifferences(examined.monitor.tree.devices, there.devices);
  const isSame = differences.length === 0;
  const made = `${definition.machine}, ${there.devices.length} devices as they are in the running guest`;
  return [
    isSame
      ? check("machine", "ok", made)
      : check("machine", "fail", `it would be another machine: ${differences.join("; ")}`),
    ...judgeCpu(definition, examined, home, there).map(({ result, detail }) =>
      check("processor", result, detail),
    ),
    ...judgeVersion(examined, there).map((detail) => check("QEMU", "warn", detail)),
    ...(needsVhost(definition) && !there.has_vhost_net
      ? [check("vhost", "fail", "its NIC uses vhost, and there is no /dev/vhost-net")]
      : []),
  ];
}

/** A model with a name is the same on every host that has it; `host` and `max` are what the host makes of them. */
function judgeCpu(
  definition: Pick<GuestDefinition, "accelerator">,
  { monitor, carried }: Pick<ExaminedQemu, "monitor" | "carried">,
  home: Pick<HostRehearsal, "cpu">,
  there: HostRehearsal,
): Pick<AdoptionCheck, "result" | "detail">[] {
  const model = carried.cpu?.split(",")[0] ?? "";
  if (model !== "host" && model !== "max") return [];
  if (definition.accelerator === "tcg") {
    if (there.qemu_version?.startsWith(`${monitor.version.major}.${monitor.version.minor}.`)) {
      return [];
    }
    const detail = `-cpu ${model} is another processor in QEMU ${there.qemu_version ?? "(none)"} than in ${monitor.version.text}`;
    return [{ result: "fail", detail }];
  }
  return [compareHostCpus(`-cpu ${model}`, home.cpu, there.cpu)];
}

function judgeVersion({ monitor }: Pick<ExaminedQemu, "monitor">, there: HostRehearsal): string[] {
  return olderQemu(monitor.version.text, there.qemu_version);
}

/** What is to be said of a host whose QEMU is older than the guest's; nothing otherwise. Pure. */
export function olderQemu(guests: string, there: string | null): string[] {
  const [ours = 0, theirs = 0] = [guests, there ?? ""].map((version) => {
    const [major = 0, minor = 0] = version.split(".").map(Number);
    return major * 1000 + minor;
  });
  return theirs >= ours ? [] : [`QEMU ${there ?? "(none)"} is older than the guest's ${guests}`];
}

function needsVhost({ qemu_arguments: carried = [] }: GuestDefinition): boolean {
  return carried.some((word) => /^tap,.*\bvhost=(on|yes|true)\b/.test(word));
}

/**
 * Where no host was named, one that can take the guest is enough: what the others lack is only worth knowing. Pure.
 */
export function milder(checks: readonly AdoptionCheck[], local: string): AdoptionCheck[] {
  const failed = new Set(checks.filter(({ result }) => result === "fail").map(({ host }) => host));
  const peers = new Set(checks.map(({ host }) => host).filter((host) => host !== local));
  const isAnyAble = [...peers].some((host) => !failed.has(host));
  if (!isAnyAble) return [...checks];
  return checks.map((check) =>
    check.host !== local && check.result === "fail" ? { ...check, result: "warn" } : check,
  );
}
