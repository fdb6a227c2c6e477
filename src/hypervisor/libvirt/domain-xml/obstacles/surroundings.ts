import { namePattern } from "../../../../platform/names.ts";
import type { DomainFacts } from "../read-domain.ts";
import { type Obstacle, obstacle } from "./obstacle.ts";

/** What of the configuration around a domain must be at the destination too. */
export function surroundingObstacles({ name, placement, leases }: DomainFacts): Obstacle[] {
  const { partition, staticLabels, qemuArguments, hasQemuOverrides } = placement;
  const found: Obstacle[] = [];
  if (!namePattern.test(name)) {
    const reason = "cannot be a guest's: letters, digits, '.', '_' and '-', at most 63";
    found.push(obstacle(["refused", "name"], "the domain's name", reason, { name }));
  }
  if (partition !== null && partition !== "/machine") {
    const reason = "must be at the destination too";
    found.push(obstacle(["depends", "control-group"], "the control group", reason, { partition }));
  }
  for (const model of staticLabels) {
    const reason = "comes along, so the destination must have the same security driver";
    found.push(obstacle(["depends", "security-label"], "the security label", reason, { model }));
  }
  for (const lease of leases) {
    const reason = "is of a lock manager, which the destination's libvirt must use too";
    found.push(obstacle(["depends", "lock"], `lock ${lease}`, reason));
  }
  if (qemuArguments.length > 0 || hasQemuOverrides) {
    const reason = "go to the destination's QEMU as they are; nobody knows what they need there";
    found.push(
      obstacle(["depends", "qemu-arguments"], "QEMU's own arguments", reason, {
        arguments: qemuArguments.join(" ") || null,
      }),
    );
  }
  return found;
}
