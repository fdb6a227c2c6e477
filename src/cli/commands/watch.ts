import { Command } from "commander";
import { createOutput } from "../output.ts";

export function watchCommand(): Command {
  return new Command("watch")
    .description("follow a migration to its end")
    .argument("<id>", "migration")
    .option("--json", "print JSON, errors too")
    .action(async (id: string, options: { json?: boolean }) => {
      const { createClient } = await import("../../client/index.ts");
      const { catchInterruption, detached } = await import("../migrate/interruption.ts");
      const { followMigration } = await import("../migrate/follow.ts");
      const { createView } = await import("../migrate/view.ts");
      const { printReport } = await import("../print-report.ts");
      using interruption = catchInterruption();
      const output = createOutput(options.json ?? false);
      const view = createView(output);
      const followed = await followMigration(createClient(), id, view, interruption.signal);
      if (followed === null) throw detached(id);
      printReport(followed.report, output);
    });
}
