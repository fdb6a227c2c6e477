import { Command } from "commander";
import type { SojournClient } from "../../client/index.ts";
import { checkName } from "../../platform/names.ts";
import { createOutput } from "../output.ts";

interface EvacuationOptions {
  host?: string;
  running?: boolean;
  json?: boolean;
}

export function evacuationCommand(): Command {
  const evacuation = new Command("evacuation").description("what sojourn evacuate has begun");
  evacuation
    .command("ls")
    .description("list a host's, newest first")
    .option("--host <host>", "a peer (default: the host that is asked)")
    .option("--json", "print JSON, errors too")
    .action(list);
  evacuation
    .command("show <id>")
    .description("one of them, guest by guest")
    .option("--json", "print JSON, errors too")
    .action(async (id: string, options: EvacuationOptions) => {
      await print(await (await connect()).getEvacuation(checkName("evacuation", id)), options);
    });
  evacuation
    .command("watch <id>")
    .description("follow one to its end")
    .option("--json", "one JSON value a line; the last is the evacuation or an error")
    .action(async (id: string, { json = false }: EvacuationOptions) => {
      const { watchEvacuation } = await import("../evacuate/run.ts");
      await watchEvacuation(checkName("evacuation", id), createOutput(json));
    });
  evacuation
    .command("cancel <id>")
    .description("begin no further migration; guests that have moved stay where they are")
    .option("--running", "also take back what is under way and has not passed its switchover")
    .option("--json", "print JSON, errors too")
    .action(async (id: string, options: EvacuationOptions) => {
      const running = options.running ?? false;
      const client = await connect();
      await print(await client.cancelEvacuation(checkName("evacuation", id), { running }), options);
    });
  return evacuation;
}

async function list({ host, json = false }: EvacuationOptions): Promise<void> {
  const wanted = host === undefined ? null : checkName("host", host);
  const found = await (await connect()).listEvacuations(wanted);
  const { describeList } = await import("../evacuate/describe.ts");
  createOutput(json).result(found, () => describeList(found));
}

async function print(
  evacuation: Awaited<ReturnType<SojournClient["getEvacuation"]>>,
  { json = false }: EvacuationOptions,
): Promise<void> {
  const { describeEvacuation } = await import("../evacuate/describe.ts");
  createOutput(json).result(evacuation, () => describeEvacuation(evacuation));
}

async function connect(): Promise<SojournClient> {
  return (await import("../../client/index.ts")).createClient();
}
