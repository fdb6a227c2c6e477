import { Command } from "commander";
import type { DoctorCheck } from "../../daemon/services.ts";
import { ExitCode } from "../../platform/errors.ts";
import { createOutput } from "../output.ts";

interface DoctorOptions {
  config: string;
  peer?: string;
  json?: boolean;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .description("check what this host needs, with or without a running daemon")
    .option("--peer <host>", "only this peer")
    .option("--config <file>", "configuration", "/etc/sojourn/sojourn.toml")
    .option("--json")
    .action(async (options: DoctorOptions) => {
      const { examineHost } = await import("../../daemon/doctor/doctor.ts");
      const checks = await examineHost(options.config, options.peer);
      const failed = checks.some((check) => check.result === "fail");
      const output = createOutput(options.json ?? false);
      output.result({ type: "doctor", ok: !failed, checks }, () => checks.map(describe).join("\n"));
      if (failed) process.exitCode = ExitCode.precondition;
    });
}

function describe(check: DoctorCheck): string {
  const line = `${check.result.padEnd(4)}  ${check.name}: ${check.detail}`;
  return check.hint === null || check.result === "ok" ? line : `${line}\n      hint: ${check.hint}`;
}
