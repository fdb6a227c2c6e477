import { Command } from "commander";
import type { FlowSummary } from "../../daemon/inventory/schemas.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

interface FlowsOptions {
  all?: boolean;
  json?: boolean;
}

export function flowsCommand(): Command {
  return new Command("flows")
    .description("a guest's established flows through this host")
    .argument("<guest>")
    .option("--all", "also those that are beginning or ending")
    .option("--json", "print JSON, errors too")
    .action(async (guest: string, { all = false, json = false }: FlowsOptions) => {
      const { createClient } = await import("../../client/index.ts");
      const flows = await createClient().listFlows(guest, { all });
      createOutput(json).result(flows, () => describe(flows));
    });
}

function describe(flows: readonly FlowSummary[]): string {
  if (flows.length === 0) return "none";
  const rows = flows.map((flow) => [
    flow.protocol === "other" ? `${flow.protocol_number}` : flow.protocol,
    flow.direction,
    end(flow.local),
    end(flow.remote),
    flow.state ?? "-",
    flow.nat.map(translation).join("; ") || "-",
    bytes(flow.received),
    bytes(flow.sent),
  ]);
  const header = ["PROTOCOL", "DIRECTION", "GUEST", "PEER", "STATE", "NAT", "RECEIVED", "SENT"];
  return formatTable(header, rows);
}

/** The one end that nobody else in the line tells. */
function translation({ kind, from, to }: FlowSummary["nat"][number]): string {
  return kind === "source" ? `source, becomes ${end(to)}` : `destination, asked for ${end(from)}`;
}

function end({ address, port }: FlowSummary["local"]): string {
  return port === null ? address : `${address}:${port}`;
}

function bytes(traffic: FlowSummary["sent"]): string {
  return traffic === null ? "-" : `${traffic.bytes} bytes`;
}
