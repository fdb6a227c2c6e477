import { Argument, Command } from "commander";
import { createLogger } from "../../platform/log.ts";
import type { ProbeRunResult } from "../../probe/run-probe.ts";
import { type ProbeKind, probeKinds } from "../../probe/series.ts";
import { parseSeconds } from "../arguments.ts";
import { createOutput } from "../output.ts";

interface ProbeOptions {
  duration: number;
  json?: boolean;
}

export function probeCommand(): Command {
  return new Command("probe")
    .description("watch a service from here and tell the longest hole")
    .addArgument(new Argument("<kind>", "what to measure").choices(probeKinds))
    .argument("<target>", "HOST or HOST:PORT")
    .option("--duration <s>", "how long", parseSeconds, 10)
    .option("--json", "print JSON, errors too")
    .action(async (kind: ProbeKind, target: string, options: ProbeOptions) => {
      const { runProbe } = await import("../../probe/run-probe.ts");
      const { parseProbeTarget } = await import("../../probe/target.ts");
      const ended = new AbortController();
      process.once("SIGINT", () => ended.abort());
      const result = await runProbe({
        kind,
        ...parseProbeTarget(kind, target),
        durationMs: options.duration * 1000,
        logger: createLogger("warn"),
        signal: ended.signal,
      });
      createOutput(options.json ?? false).result(result, () => describe(result));
    });
}

function describe(result: ProbeRunResult): string {
  const target = result.port === null ? result.host : `${result.host}:${result.port}`;
  const parts = [
    `${result.kind} ${target}, ${(result.duration_ms / 1000).toFixed(1)} s`,
    `longest hole ${result.longest_hole_ms ?? "-"} ms`,
  ];
  if (result.round_trip_ms !== null) {
    parts.push(`round trip ${result.round_trip_ms.median} ms (p99 ${result.round_trip_ms.p99} ms)`);
  }
  if (result.mbps !== null) parts.push(`${result.mbps} Mbit/s`);
  if (result.packets !== null) {
    const { sent, lost, duplicated, reordered } = result.packets;
    parts.push(`${sent} sent, ${lost} lost, ${duplicated} duplicated, ${reordered} reordered`);
  }
  if (result.status_errors) parts.push(`${result.status_errors} answers were errors`);
  if (result.retransmissions) {
    parts.push(`${result.retransmissions} retransmissions (${result.rto ?? "-"} time-outs)`);
  }
  if (result.broken > 0) parts.push(`session broken: ${result.broken_reason}`);
  return parts.join("; ");
}
