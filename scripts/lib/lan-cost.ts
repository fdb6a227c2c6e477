/**
 * What a LAN with a gateway of its own costs a guest's peers in a move, beside a guest whose gateway is its host: both out
 * and back in turn, so that a busy minute hits all alike.
 * usage: lan-cost.ts [--runs N] [--tunnel KIND] [--json]; see scripts/lan-cost.
 */
import { parseArgs } from "node:util";
import { medianOf } from "../../src/bench/statistics.ts";
import { inLab, type MovingLab, migrate, print } from "./lab-moves.ts";
import { numberOf } from "./number-option.ts";

interface Figures {
  tcp_echo_outage_ms: number | null;
  packet_outage_ms: number | null;
  blackout_ms: number | null;
  lost: number;
}

/** Whose peer measures: the client's way leads through the LAN's gateway in the bridged lab. */
const modes = [
  { name: "routed, client", topology: "routed", node: "client" },
  { name: "bridged, client", topology: "bridged", node: "client" },
  { name: "bridged, LAN peer", topology: "bridged", node: "lan-peer" },
] as const;

const columns = ["tcp_echo_outage_ms", "packet_outage_ms", "blackout_ms"] as const;

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    tunnel: { type: "string", default: "auto" },
    json: { type: "boolean", default: false },
  },
});
const runs = numberOf("lan-cost", "runs", options.runs, 10_000);

await inLab(
  "lan-cost",
  "lan-cost-routed",
  (routed) =>
    inLab("lan-cost", "lan-cost-bridged", (bridged) => measure({ routed, bridged }), {
      ...{ hosts: 2, topology: "bridged" },
    }),
  { hosts: 2 },
);

async function measure(labs: Record<"routed" | "bridged", MovingLab>): Promise<void> {
  const all = modes.map((mode) => ({ mode, figures: [] as Figures[] }));
  if (!options.json)
    print(["", "move", "tcp-echo", "packet", "blackout", "lost"].map(cell).join(""));
  for (let run = 1; run <= runs; run += 1) {
    for (const { mode, figures } of all) {
      for (const [from, to] of [
        ["host-a", "host-b"],
        ["host-b", "host-a"],
      ] as const) {
        const one = await measuredMove(labs[mode.topology], mode.node, from, to);
        figures.push(one);
        if (options.json)
          print(JSON.stringify({ type: "run", run, mode: mode.name, from, to, ...one }));
        else print(row(mode.name, `${from.slice(-1)} to ${to.slice(-1)}`, one));
      }
    }
  }
  const medians = all.map(({ mode, figures }) => ({ name: mode.name, ...mediansOf(figures) }));
  const [routed, ...others] = medians;
  for (const each of medians) {
    if (options.json)
      print(JSON.stringify({ type: "medians", moves: runs * 2, mode: each.name, ...each }));
    else print(row(each.name, "median", each));
  }
  for (const other of others) {
    const more = (other.tcp_echo_outage_ms ?? 0) - (routed?.tcp_echo_outage_ms ?? 0);
    const difference = { type: "difference", mode: other.name, tcp_echo_outage_ms: more };
    if (options.json) print(JSON.stringify(difference));
    else print(`${other.name}: ${more.toFixed(1)} ms more than routed (tcp-echo outage, medians)`);
  }
}

/** @throws Error unless it completes with no session broken. */
async function measuredMove(
  lab: MovingLab,
  node: string,
  from: string,
  to: string,
): Promise<Figures> {
  const probes = ["--probe", `tcp-echo:7@${node}`, "--probe", `packet@${node}`];
  const report = await migrate(lab, from, to, ["--tunnel", options.tunnel, ...probes]);
  const { tcp_echo, packet } = report.probes;
  if (tcp_echo?.broken !== 0) throw new Error(`${from} to ${to}: a session is broken`);
  return {
    tcp_echo_outage_ms: tcp_echo.outage_ms,
    packet_outage_ms: packet?.outage_ms ?? null,
    blackout_ms: report.blackout_ms,
    lost: packet?.lost ?? Number.NaN,
  };
}

function mediansOf(figures: readonly Figures[]): Figures {
  const median = (name: (typeof columns)[number]) => medianOf(figures.map((one) => one[name]));
  return {
    tcp_echo_outage_ms: median("tcp_echo_outage_ms"),
    packet_outage_ms: median("packet_outage_ms"),
    blackout_ms: median("blackout_ms"),
    lost: figures.reduce((sum, { lost }) => sum + lost, 0),
  };
}

function row(first: string, second: string, figures: Figures): string {
  const cells = columns.map((name) => figures[name]?.toFixed(1) ?? "-");
  return [first, second, ...cells, String(figures.lost)].map(cell).join("");
}

function cell(value: string, index: number): string {
  return index === 0 ? value.padEnd(20) : index === 1 ? value.padEnd(8) : value.padStart(12);
}
