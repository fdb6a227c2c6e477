import type { FlowSummary } from "../../daemon/inventory/schemas.ts";
import { formatTable } from "../table.ts";
import { span } from "./figures.ts";

const header = [
  ...["PROTOCOL", "PEER", "GUEST", "STATE", "DIRECTION", "PATH", "AGE", "IDLE", "BYTES", "NAT"],
];

/** A guest's flows as a table, those that hold its redirect first, then the most recently active; and their number. */
export function flowsTable(flows: readonly FlowSummary[]): string {
  if (flows.length === 0) return "none";
  const rows = flows
    .toSorted(byUrgency)
    .map((flow) => [
      flow.protocol === "other" ? `${flow.protocol_number}` : flow.protocol,
      flow.peer,
      flow.guest,
      flow.state ?? "-",
      flow.direction,
      flow.path,
      flow.age_s === null ? "-" : span(flow.age_s),
      span(flow.idle_s),
      bytesOf(flow),
      flow.nat.map(translation).join("; ") || "-",
    ]);
  const redirected = flows.filter(({ path }) => path === "redirect").length;
  const direct = flows.length - redirected;
  const total = `${flows.length} ${flows.length === 1 ? "flow" : "flows"}`;
  return `${formatTable(header, rows)}\n${total}: ${redirected} redirected, ${direct} direct`;
}

function byUrgency(left: FlowSummary, right: FlowSummary): number {
  if (left.path !== right.path) return left.path === "redirect" ? -1 : 1;
  if (left.idle_s !== right.idle_s) return left.idle_s - right.idle_s;
  return left.id < right.id ? -1 : 1;
}

/** The one end that nobody else in the line tells. */
function translation({ kind, from, to }: FlowSummary["nat"][number]): string {
  return kind === "source" ? `source, becomes ${to}` : `destination, asked for ${from}`;
}

function bytesOf({ received, sent }: FlowSummary): string {
  if (received === null && sent === null) return "-";
  return `${amount(received?.bytes)} in, ${amount(sent?.bytes)} out`;
}

function amount(bytes: number | undefined): string {
  if (bytes === undefined) return "-";
  if (bytes < 1e3) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
