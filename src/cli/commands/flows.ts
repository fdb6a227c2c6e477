import { Command, Option } from "commander";
import { type FlowPath, flowPathNames } from "../../migrator/flow-path.ts";
import { createOutput } from "../output.ts";
import { flowsTable } from "../render/flows.ts";

interface FlowsOptions {
  all?: boolean;
  path?: FlowPath;
  json?: boolean;
}

export function flowsCommand(): Command {
  return new Command("flows")
    .description("a guest's flows through this host that need their way: who, how long, which way")
    .argument("<guest>")
    .option(
      "--all",
      "also TCP's that are over, or were never answered (TIME_WAIT, CLOSE, SYN_SENT)",
    )
    .addOption(new Option("--path <way>", "only those that take this way").choices(flowPathNames))
    .option("--json", "print JSON, errors too")
    .action(async (guest: string, { all = false, path, json = false }: FlowsOptions) => {
      const { createClient } = await import("../../client/index.ts");
      const query = path === undefined ? { all } : { all, path };
      const flows = await createClient().listFlows(guest, query);
      createOutput(json).result(flows, () => flowsTable(flows));
    });
}
