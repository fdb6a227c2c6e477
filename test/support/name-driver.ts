import { createInterface } from "node:readline";
import type { DnsConfig } from "../../src/daemon/dns/config.ts";
import { NameServer } from "../../src/daemon/dns/name-server.ts";
import type { NameChange } from "../../src/daemon/dns/update-script.ts";
import { asSojournError } from "../../src/platform/errors.ts";

/** Asks and updates a name server from this process's namespace: one JSON request a line, one JSON answer a line. */
const server = new NameServer(JSON.parse(process.argv[2] ?? "{}") as DnsConfig);

for await (const line of createInterface({ input: process.stdin })) {
  const { method, args } = JSON.parse(line) as { method: "ttlOf" | "change"; args: unknown[] };
  try {
    const result =
      method === "ttlOf"
        ? await server.ttlOf(String(args[0]), String(args[1]))
        : ((await server.change(args[0] as NameChange)) ?? null);
    process.stdout.write(`${JSON.stringify({ result })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: asSojournError(error).toRecord() })}\n`);
  }
}
