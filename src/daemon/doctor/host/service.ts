import { runCommand } from "../../../platform/command.ts";
import type { DoctorCheck } from "../../services.ts";
import { ok, skipped, type Topic, warn } from "../check.ts";

const service: Topic = {
  id: "service",
  why: "A guest that a crashed daemon had stopped stands until a new one thaws it: systemd must start it at once.",
};

const properties = ["LoadState", "ActiveState", "UnitFileState", "WatchdogUSec", "KillMode"];

/** Whether systemd runs the daemon, watches it and leaves its guests alone. */
export async function checkService(): Promise<DoctorCheck> {
  const args = ["show", "sojourn.service", `--property=${properties.join(",")}`];
  const answer = await runCommand("systemctl", args, { timeoutMs: 3_000 }).catch(() => null);
  if (answer === null) return skipped(service, "systemd does not answer on this host");
  return judgeService(answer.stdout);
}

/** The verdict on what `systemctl show` printed. Pure. */
export function judgeService(output: string): DoctorCheck {
  const unit = Object.fromEntries(
    output.split("\n").flatMap((line) => {
      const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
      return key === undefined ? [] : [[key, value]];
    }),
  ) as Record<string, string>;
  if (unit.LoadState !== "loaded") {
    return warn(service, "there is no unit sojourn.service", {
      mend: [
        "install -m 644 /opt/sojourn/deploy/sojourn.service /etc/systemd/system/",
        "systemctl daemon-reload && systemctl enable --now sojourn",
      ],
    });
  }
  if (unit.ActiveState !== "active") {
    const hint = "look at its log: journalctl -u sojourn -n 50";
    return warn(service, `the unit is ${unit.ActiveState ?? "in an unknown state"}`, {
      ...{ hint, mend: "systemctl enable --now sojourn" },
    });
  }
  if (unit.KillMode !== "process") {
    return warn(service, `KillMode=${unit.KillMode} would end guests with the daemon`, {
      ...setting("KillMode=process"),
    });
  }
  if (unit.WatchdogUSec === undefined || ["0", "infinity", ""].includes(unit.WatchdogUSec)) {
    return warn(service, "it has no watchdog: a daemon that stands is not started again", {
      ...setting("WatchdogSec=30s"),
    });
  }
  if (unit.UnitFileState === "disabled") {
    const mend = "systemctl enable sojourn";
    return warn(service, "it is not started with the host", { mend });
  }
  return ok(service, `active, watchdog after ${unit.WatchdogUSec}`);
}

function setting(line: string) {
  const folder = "/etc/systemd/system/sojourn.service.d";
  const file = `${folder}/${line.split("=")[0]?.toLowerCase()}.conf`;
  return {
    mend: [
      `mkdir -p ${folder}`,
      `printf '[Service]\\n${line}\\n' > ${file}`,
      "systemctl daemon-reload && systemctl restart sojourn",
    ],
  };
}
