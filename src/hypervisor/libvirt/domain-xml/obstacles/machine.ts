import type { DomainFacts } from "../read-domain.ts";
import { type Obstacle, obstacle } from "./obstacle.ts";

/** What of a domain's processors and memory depends on its host. */
export function machineObstacles(facts: DomainFacts): Obstacle[] {
  const { memory, placement, processor, virtualization } = facts;
  const found: Obstacle[] = [];
  if (virtualization !== "kvm" && virtualization !== "qemu") {
    found.push(
      obstacle(["refused", "not-qemu"], "the domain", "is not run by QEMU", { virtualization }),
    );
  }
  found.push(...cpuObstacles(facts));
  for (const list of processor.hostCpus) {
    const reason = "are held to processors that the destination must have";
    found.push(obstacle(["depends", "host-cpus"], "the processors", reason, { cpus: list }));
  }
  if (memory.hostNodes !== null) {
    const reason = "must lie on NUMA nodes that the destination must have";
    found.push(
      obstacle(["depends", "host-nodes"], "the memory", reason, { nodes: memory.hostNodes }),
    );
  }
  if (memory.usesHugePages) {
    const reason = "lies in huge pages, of which the destination must have enough";
    const bytes = String(memory.bytes);
    found.push(obstacle(["depends", "huge-pages"], "the memory", reason, { bytes }));
  }
  for (const { model, path } of memory.devices) {
    if (path === null && model !== "sgx-epc") continue;
    const reason =
      path === null
        ? "is memory of the host's processor"
        : "keeps its content in a file of the host";
    found.push(obstacle(["refused", "memory-file"], "a memory device", reason, { model, path }));
  }
  for (const { name, role, hasServer } of memory.shared) {
    if (role === "master" && !hasServer) continue;
    const reason = "is memory that the guest shares with others of its host";
    found.push(obstacle(["refused", "shared-memory"], `shared memory ${name}`, reason, { role }));
  }
  if (placement.launchSecurity !== null) {
    const reason = "is locked to the host's processor";
    const type = placement.launchSecurity;
    found.push(obstacle(["refused", "confidential-memory"], "the memory", reason, { type }));
  }
  return found;
}

function cpuObstacles({ processor }: DomainFacts): Obstacle[] {
  const { mode, isMigratable, features, tscHz } = processor;
  const found: Obstacle[] = [];
  if (mode === "host-passthrough" || mode === "maximum" || mode === "host-model") {
    const reason = "is what the host's processor makes of it: the destination's must be the same";
    const migratable = isMigratable === null ? null : String(isMigratable);
    found.push(obstacle(["depends", "cpu-of-host"], "the processor", reason, { mode, migratable }));
  }
  const hasInvariantTsc = features.some(
    ({ name, policy }) => name === "invtsc" && (policy === "require" || policy === "force"),
  );
  if (hasInvariantTsc && tscHz === null) {
    const reason =
      "has an invariant TSC without a frequency of its own, with which QEMU does not migrate";
    found.push(obstacle(["refused", "invariant-tsc"], "the processor", reason));
  }
  return found;
}
