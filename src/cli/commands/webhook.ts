import { readFile } from "node:fs/promises";
import { Command, InvalidArgumentError } from "commander";
import type { SojournClient, Webhook } from "../../client/index.ts";
import { preconditionError } from "../../platform/errors.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";
import { deliveriesCommand, replayCommand } from "./webhook-deliveries.ts";

interface AddOptions {
  event?: string[];
  guest?: string[];
  secretFile?: string;
  ca?: string;
  timeout?: number;
  json?: boolean;
}

export function webhookCommand(): Command {
  const webhook = new Command("webhook").description(
    "who is told of migrations over HTTP, and what became of the messages",
  );
  webhook
    .command("ls")
    .description("list them")
    .option("--json", "print JSON, errors too")
    .action(async ({ json = false }: { json?: boolean }) => {
      const webhooks = await (await connect()).listWebhooks();
      createOutput(json).result(webhooks, () => describe(webhooks));
    });
  addAdd(webhook);
  webhook
    .command("rm <name>")
    .description("end a subscription; what waits for it is dropped")
    .option("--json", "print JSON, errors too")
    .action(async (name: string, { json = false }: { json?: boolean }) => {
      await (await connect()).removeWebhook(name);
      createOutput(json).result({ type: "removed", name }, () => `${name} is told no more`);
    });
  webhook
    .command("test <name>")
    .description("send it a signed message of type webhook.test, and tell what it answers")
    .option("--json", "print JSON, errors too")
    .action(async (name: string, { json = false }: { json?: boolean }) => {
      const result = await (await connect()).testWebhook(name);
      const text = `${name} answered ${result.status} after ${result.duration_ms.toFixed(0)} ms`;
      createOutput(json).result(result, () => text);
    });
  webhook.addCommand(deliveriesCommand(connect));
  webhook.addCommand(replayCommand(connect));
  return webhook;
}

function addAdd(webhook: Command): void {
  webhook
    .command("add <name> <url>")
    .description("subscribe a receiver; prints the secret that signs its messages, once")
    .option(
      "--event <word...>",
      "phases, outcomes, guests, progress, or types; default: all but progress",
    )
    .option("--guest <name...>", "only events of these guests")
    .option("--secret-file <file>", "holds the secret; without it one is made")
    .option("--ca <file>", "certificates (PEM) trusted for this receiver")
    .option("--timeout <ms>", "how long the receiver may take for a message", milliseconds)
    .option("--json", "print JSON, errors too")
    .action(async (name: string, url: string, options: AddOptions) => {
      const { event: events, guest: guests, secretFile, ca, timeout, json = false } = options;
      const added = await (await connect()).addWebhook({
        ...{ name, url, events, guests, timeout_ms: timeout },
        ...(secretFile === undefined
          ? {}
          : { secret: (await read(secretFile, "--secret-file")).trim() }),
        ...(ca === undefined ? {} : { ca: await read(ca, "--ca") }),
      });
      createOutput(json).result(added, () =>
        secretFile === undefined
          ? `${name} is told from now on; its messages are signed with this secret, which is not shown again:\n${added.secret}`
          : `${name} is told from now on`,
      );
    });
}

function describe(webhooks: readonly Webhook[]): string {
  const rows = webhooks.map(({ name, url, events, guests, origin, ...figures }) => [
    ...[name, url, events.join(","), guests?.join(",") ?? "all", origin],
    ...[figures.waiting, figures.delivered, figures.failed, figures.dead].map(String),
  ]);
  return formatTable(
    ["WEBHOOK", "URL", "EVENTS", "GUESTS", "ORIGIN", "WAITING", "DELIVERED", "FAILED", "DEAD"],
    rows,
  );
}

function milliseconds(text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("not a number of milliseconds");
}

async function read(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw preconditionError("SOJ_FILE_UNREADABLE", `cannot read ${path}: ${code}`, {
      cause,
      hint: `${option} names it`,
    });
  }
}

async function connect(): Promise<SojournClient> {
  return (await import("../../client/index.ts")).createClient();
}
