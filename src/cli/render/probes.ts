import type { MigrationReport } from "../../migrator/report.ts";
import type {
  HttpResult,
  PacketResult,
  SessionResult,
  TcpStreamResult,
} from "../../probe/results.ts";
import { milliseconds, notMeasured, outage, throughput } from "./figures.ts";

/** The table of a report's probes, a line each, and what does not fit into its columns; empty without probes. */
export function renderProbes({ probes }: MigrationReport): string {
  const { tcp_echo, tcp_stream, tcp_upload, http, packet } = probes;
  const rows: string[][] = [];
  if (tcp_echo !== undefined) rows.push(sessionRow("tcp-echo", tcp_echo));
  if (tcp_stream !== undefined) rows.push(streamRow("tcp-stream", tcp_stream));
  if (tcp_upload !== undefined) rows.push(streamRow("tcp-upload", tcp_upload));
  if (http !== undefined) rows.push(sessionRow("http", http));
  if (packet !== undefined) rows.push(["packet", ...outageCells(packet)]);
  if (rows.length === 0) return "";
  const notes = [...packetNotes(packet), ...httpNotes(http)];
  return [alignColumns([header, ...rows]), ...notes.map((note) => `  ${note}`)].join("\n");
}

const header = [
  ...["probe", "outage", "floor", "broken", "before", "after", "recovery"],
  ...["resent", "RTO"],
];

function sessionRow(name: string, result: SessionResult, figures = ["", "", ""]): string[] {
  const { broken, sessions, retransmissions, rto } = result;
  const kernel = [count(retransmissions), count(rto)];
  return [name, ...outageCells(result), `${broken} of ${sessions}`, ...figures, ...kernel];
}

function streamRow(name: string, result: TcpStreamResult): string[] {
  const { before_mbps, after_mbps, recovery_ms } = result;
  const figures = [throughput(before_mbps), throughput(after_mbps), milliseconds(recovery_ms)];
  return sessionRow(name, result, figures);
}

function outageCells({ outage_ms, floor_ms }: SessionResult | PacketResult): string[] {
  return [outage(outage_ms, floor_ms), milliseconds(floor_ms)];
}

function packetNotes(packet: PacketResult | undefined): string[] {
  if (packet === undefined) return [];
  const { sent, lost, unread, duplicated, reordered } = packet;
  return [
    `packets: ${sent} sent, ${lost} lost, ${duplicated} duplicated, ${reordered} reordered${unread === 0 ? "" : `, ${unread} unread`}`,
  ];
}

function httpNotes(http: HttpResult | undefined): string[] {
  if (http === undefined) return [];
  const { guest_clock_step_ms: step, guest_clock_error_ms: error } = http;
  const notes: string[] = [];
  if (http.status_errors > 0) notes.push(`http: ${http.status_errors} answers were errors`);
  if (step !== null) {
    notes.push(`guest clock step ${milliseconds(step)} (error up to ${milliseconds(error)})`);
  }
  if (http.guest_rto !== null) {
    notes.push(
      `guest: ${count(http.guest_retransmissions)} segments sent again, ${http.guest_rto} time-outs`,
    );
  }
  return notes;
}

function count(value: number | null): string {
  return value === null ? notMeasured : String(value);
}

function alignColumns(rows: readonly string[][]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (row: string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ");
  return rows.map((row) => `  ${line(row)}`.trimEnd()).join("\n");
}
