import { Command, InvalidArgumentError, Option } from "commander";
import type { Delivery, SojournClient } from "../../client/index.ts";
import { type DeliveryState, deliveryStates } from "../../daemon/hooks/spool-rows.ts";
import { usageError } from "../../platform/errors.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

type Connect = () => Promise<SojournClient>;

/** The most that one request asks for. */
const pageLength = 500;

export function deliveriesCommand(connect: Connect): Command {
  return new Command("deliveries")
    .argument("<name>", "a webhook; exec for the programs of the hooks folder")
    .description("what became of its messages, newest first")
    .addOption(new Option("--state <state>", "only such").choices([...deliveryStates]))
    .option("--limit <count>", "how many at most", countOf, 100)
    .option("--json", "print JSON, errors too")
    .action(
      async (name: string, options: { state?: DeliveryState; limit: number; json?: boolean }) => {
        const { state, limit, json = false } = options;
        const found: Delivery[] = [];
        for await (const delivery of each(await connect(), name, state)) {
          if (found.push(delivery) >= limit) break;
        }
        createOutput(json).result(found, () => describe(found));
      },
    );
}

export function replayCommand(connect: Connect): Command {
  return new Command("replay")
    .argument("<name>", "a webhook; exec for the programs of the hooks folder")
    .argument("[ids...]", "of messages, as deliveries lists them")
    .description("send messages again, with their ids")
    .option("--dead", "all that were given up")
    .option("--json", "print JSON, errors too")
    .action(async (name: string, ids: string[], options: { dead?: boolean; json?: boolean }) => {
      const { dead = false, json = false } = options;
      if (dead === ids.length > 0)
        throw usageError(
          "name messages, or --dead for all given up",
          `sojourn webhook deliveries ${name}`,
        );
      const client = await connect();
      const given = dead ? await Array.fromAsync(each(client, name, "dead")) : [];
      // The oldest first, as they happened.
      const wanted = dead ? given.map(({ id }) => id).toReversed() : ids;
      const replayed: Delivery[] = [];
      for (const id of wanted) replayed.push(await client.replayDelivery(name, id));
      createOutput(json).result(replayed, () => `${replayed.length} to be sent again`);
    });
}

async function* each(
  client: SojournClient,
  name: string,
  state: DeliveryState | undefined,
): AsyncGenerator<Delivery> {
  let cursor: string | undefined;
  do {
    const page = await client.listDeliveries(name, { limit: pageLength, cursor, state });
    yield* page.deliveries;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
}

function describe(deliveries: readonly Delivery[]): string {
  const rows = deliveries.map((one) => [
    ...[one.id, one.type, one.guest, one.state, String(one.attempts)],
    ...[one.status === null ? "-" : String(one.status), new Date(one.created_ms).toISOString()],
    one.error ?? "",
  ]);
  return formatTable(
    ["MESSAGE", "TYPE", "GUEST", "STATE", "ATTEMPTS", "STATUS", "SINCE", "ERROR"],
    rows,
  );
}

function countOf(text: string): number {
  if (/^[1-9][0-9]{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("not a count");
}
