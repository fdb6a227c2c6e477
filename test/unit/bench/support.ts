import type { RunFigures } from "../../../src/bench/figures.ts";
import type { MoveFacts } from "../../../src/bench/move-facts.ts";
import type { RunRecord } from "../../../src/bench/records.ts";

export const noFigures: RunFigures = {
  tcp_echo_outage_ms: null,
  tcp_echo_floor_ms: null,
  tcp_stream_outage_ms: null,
  tcp_stream_floor_ms: null,
  packet_outage_ms: null,
  blackout_ms: null,
  control_ms: null,
  total_ms: null,
  before_mbps: null,
  after_mbps: null,
  packets_lost: null,
  packets_reordered: null,
  packets_duplicated: null,
  packets_unread: null,
  retransmissions: null,
  rto: null,
  sessions_broken: null,
};

export const completedMove: MoveFacts = {
  outcome: "completed",
  error_code: null,
  lasted_ms: 4_000,
  transferred_bytes: 100 * 1024 * 1024,
  passes: 4,
  dirty_mbps: 90,
  throttled_percent: null,
  post_copy_ms: null,
  blackout_limit_ms: 300,
  within_limit: true,
};

/** A move of a guest that was too busy. */
export const tooBusy: Partial<RunRecord> = {
  failed: "no convergence within 8 s [SOJ_NOT_CONVERGING]",
  move: {
    ...completedMove,
    ...{ outcome: "rolled-back", error_code: "SOJ_NOT_CONVERGING", within_limit: null },
  },
};

export function runWith(
  figures: Partial<RunFigures> | null,
  change: Partial<RunRecord> = {},
): RunRecord {
  return {
    run: 1,
    round: 1,
    strategy: "lossless",
    took_ms: 5_000,
    failed: figures === null ? "it did not work [SOJ_BENCH_RUN]" : null,
    figures: figures === null ? null : { ...noFigures, ...figures },
    move: null,
    timeline: [],
    throughput: null,
    ...change,
  };
}

/**
 * Names of the elements of a well-formed XML document, in order. A strict reader of what our pages use: elements,
 * quoted attributes, text, the five entities and numeric ones; anything else is an error.
 */
export function elementsOf(document: string): string[] {
  const names: string[] = [];
  const open: string[] = [];
  let rest = document.replace(/^<!DOCTYPE html>\n/, "");
  while (rest.trim() !== "") {
    const tag = /^<(\/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z:-]+="[^"<]*")*)\s*(\/?)>/.exec(rest);
    const text = /^[^<]+/.exec(rest);
    const token = (tag ?? text)?.[0];
    if (token === undefined)
      throw new Error(`not well-formed at ${JSON.stringify(rest.slice(0, 80))}`);
    checkText(tag === null ? token : (tag[3] ?? ""));
    if (tag === null && open.length === 0) throw new Error(`text outside: ${token.slice(0, 80)}`);
    if (tag !== null) {
      const name = tag[2] as string;
      if (tag[1] === "/") {
        const expected = open.pop();
        if (expected !== name) throw new Error(`</${name}> closes <${expected}>`);
      } else {
        names.push(name);
        if (tag[4] !== "/") open.push(name);
      }
    }
    rest = rest.slice(token.length);
  }
  if (open.length > 0) throw new Error(`not closed: ${open.join(", ")}`);
  return names;
}

function checkText(text: string): void {
  const bare = text.replace(/&(?:amp|lt|gt|quot|apos|#\d+);/g, "");
  if (/[&<]/.test(bare)) throw new Error(`not escaped: ${JSON.stringify(bare.slice(0, 80))}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(bare)) {
    throw new Error("a character that XML forbids");
  }
}
