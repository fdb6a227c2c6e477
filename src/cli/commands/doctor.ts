import { Command } from "commander";
import { ExitCode } from "../../platform/errors.ts";
import { fixNow } from "../doctor/fix.ts";
import { describeCheck, describeSummary } from "../doctor/render.ts";
import { createOutput } from "../output.ts";

interface DoctorOptions {
  config: string;
  peer?: string;
  fix?: boolean;
  yes?: boolean;
  json?: boolean;
}

export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "check what this host needs, with or without a running daemon; exit code 3 when it lacks something",
    )
    .option("--peer <host>", "this peer and the way to it, thoroughly")
    .option(
      "--fix",
      "set the kernel switches that are wrong, now and for the next boot; nothing else",
    )
    .option("--yes", "do not ask before --fix")
    .option("--config <file>", "configuration", "/etc/sojourn/sojourn.toml")
    .option("--json", "print JSON, errors too")
    .action(runDoctor);
}

async function runDoctor(options: DoctorOptions): Promise<void> {
  const { examineHost } = await import("../../daemon/doctor/doctor.ts");
  const output = createOutput(options.json ?? false);
  let { host, checks } = await examineHost(options.config, options.peer);
  const fixed = options.fix ? await fixNow(output, host, checks, options.yes ?? false) : [];
  // What was wrong is looked at again, so that the result is what there is now.
  if (fixed.some(({ applied }) => applied)) {
    ({ host, checks } = await examineHost(options.config, options.peer));
  }
  const failed = checks.some((check) => check.result === "fail");
  const result = { type: "doctor", ok: !failed, host, checks };
  output.result(options.fix ? { ...result, fixed } : result, () =>
    [...checks.map((check) => describeCheck(check, host)), describeSummary(checks)].join("\n"),
  );
  if (failed) process.exitCode = ExitCode.precondition;
}
