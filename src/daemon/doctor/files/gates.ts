import type { DaemonConfig } from "../../config.ts";
import { checkGate } from "../../gates/open-gates.ts";
import { TargetPolicy } from "../../hooks/targets.ts";
import type { DoctorCheck } from "../../services.ts";
import { attempt, ok, type Topic } from "../check.ts";

/** Whether each gate can be asked as it is configured; none is asked. */
export async function checkGates(
  config: Pick<DaemonConfig, "gates" | "hooks">,
): Promise<DoctorCheck[]> {
  const policy = new TargetPolicy(config.hooks.allow_targets);
  const checks = config.gates.map((gate) => {
    const topic: Topic = {
      ...{ id: "gate", subject: gate.name },
      why: `A gate that cannot be asked answers nothing: its on_no_answer (${gate.on_no_answer}) decides every migration.`,
    };
    return attempt(topic, async () => {
      await checkGate(gate, policy);
      return ok(topic, `can be asked at ${gate.points.join(", ")}`);
    });
  });
  return (await Promise.all(checks)).flat();
}
