import { Command } from "commander";
import { createOutput } from "../output.ts";

export function reportCommand(): Command {
  return new Command("report")
    .description("the report of a migration that has ended")
    .argument("<id>", "migration")
    .option("--json")
    .action(async (id: string, options: { json?: boolean }) => {
      const { createDaemonClient } = await import("../../daemon/client.ts");
      const { describeReport } = await import("../print-report.ts");
      const report = await createDaemonClient().getReport(id);
      const output = createOutput(options.json ?? false);
      output.result(report, () => describeReport(report));
    });
}
