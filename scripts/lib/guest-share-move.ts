import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { labNodePrefix, restartDaemon } from "../../src/lab/index.ts";
import { labPaths } from "../../src/lab/layout.ts";
import { holderOf } from "../../src/lab/nodes.ts";
import { delay, monotonicMs } from "../../src/platform/clock.ts";
import type { MovingLab } from "./lab-moves.ts";

/** What the other guest's stream to the client was during one move of web1. */
export interface ShareFigures {
  /** In the second before the move. */
  before_mbps: number;
  /** From the beginning of precopy to arming. */
  during_mbps: number;
  kept_of_before: number;
  /** Of what the share promises: that part of the link, or all it had before where that is less. */
  kept_of_share: number;
  /** Longest time in precopy in which nothing reached the client, of steps of 50 ms. */
  longest_wait_ms: number;
  /** Of the migration. */
  total_s: number;
  blackout_ms: number;
}

export interface ShareMove {
  linkMbps: number;
  /** What the figures are compared with. */
  sharePercent: number;
  /** What the migration is told. */
  percent: number;
}

interface Sample {
  atMs: number;
  bytes: number;
}

const sampleMs = 50;
const flowingBytes = 5_000_000;
const settleMs = 2_000;
const beforeMs = 1_000;

/** Tells a host's daemon what its link carries. */
export async function setCapacity(lab: string, host: string, linkMbps: number): Promise<void> {
  const path = `${labPaths(lab).node(host).etc}/sojourn.toml`;
  appendFileSync(path, `\n[migration]\nlink_mbps = ${linkMbps}\n`);
  await restartDaemon(lab, host);
}

/**
 * Moves web1 from host-a to host-b while web2 streams to the client as fast as it can.
 * @throws Error unless the migration completes and the stream goes on.
 */
export async function measureShare(
  { name, signal }: MovingLab,
  move: ShareMove,
): Promise<ShareFigures> {
  signal.throwIfAborted();
  const samples: Sample[] = [];
  const probe = inNode(
    name,
    "client",
    ["sojourn", "probe", "tcp-stream", "10.1.0.11:19"],
    [...["--duration", "600", "--json"]],
  );
  const probed = once(probe, "close");
  const pid = holderOf(name, "client").pid;
  const sampler = setInterval(() => samples.push(sample(pid)), sampleMs);
  try {
    while (!isFlowing(samples)) await delay(sampleMs, signal);
    await delay(settleMs, signal);
    const began = monotonicMs();
    const moved = await followMove(name, move.percent);
    const rate = (fromMs: number, toMs: number) => rateOf(samples, fromMs, toMs);
    const before = rate(began - beforeMs, began);
    const during = rate(moved.precopyMs, moved.armedMs);
    const promised = Math.min(before, (move.linkMbps * move.sharePercent) / 100);
    return {
      before_mbps: before,
      during_mbps: during,
      kept_of_before: during / before,
      kept_of_share: during / promised,
      longest_wait_ms: longestWait(samples, moved.precopyMs, moved.armedMs),
      total_s: moved.totalMs / 1000,
      blackout_ms: moved.blackoutMs,
    };
  } finally {
    clearInterval(sampler);
    probe.kill("SIGINT");
    await probed;
  }
}

function inNode(lab: string, node: string, command: string[], more: string[] = []) {
  const [program, ...args] = [...labNodePrefix(lab, node), ...command, ...more];
  return spawn(program as string, args, { stdio: ["ignore", "pipe", "inherit"] });
}

async function followMove(lab: string, percent: number) {
  // A probe of web1 would be one more stream on the link, and in what reaches the client.
  const command = ["sojourn", "migrate", "web1", "--to", "host-b", "--json", "--no-probe"];
  const child = inNode(lab, "host-a", command, ["--guest-share", String(percent)]);
  const ended = once(child, "close");
  const moments = new Map<string, number>();
  let last: { type?: string; outcome?: string; total_ms?: number; blackout_ms?: number } = {};
  for await (const line of createInterface({ input: child.stdout })) {
    last = JSON.parse(line);
    const { phase } = last as { phase?: string };
    if (last.type === "phase" && phase !== undefined) moments.set(phase, monotonicMs());
  }
  await ended;
  if (last.outcome !== "completed") throw new Error(`web1 did not move: ${JSON.stringify(last)}`);
  const at = (phase: string) => moments.get(phase) ?? Number.NaN;
  return {
    ...{ precopyMs: at("precopy"), armedMs: at("armed") },
    ...{ totalMs: last.total_ms ?? Number.NaN, blackoutMs: last.blackout_ms ?? Number.NaN },
  };
}

/** What the client has received, the stream's acknowledged bytes with their headers. */
function sample(pid: number): Sample {
  const line = /^\s*eth0:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/net/dev`, "utf8"));
  return { atMs: monotonicMs(), bytes: Number(line?.[1] ?? Number.NaN) };
}

function rateOf(samples: readonly Sample[], fromMs: number, toMs: number): number {
  const within = samples.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const [first, last] = [within[0], within.at(-1)];
  if (first === undefined || last === undefined || last === first) return Number.NaN;
  return ((last.bytes - first.bytes) * 8) / 1000 / (last.atMs - first.atMs);
}

/** Whether more than what starts a session has reached the client. */
function isFlowing(samples: readonly Sample[]): boolean {
  const [first, last] = [samples[0], samples.at(-1)];
  return first !== undefined && last !== undefined && last.bytes - first.bytes > flowingBytes;
}

function longestWait(samples: readonly Sample[], fromMs: number, toMs: number): number {
  const within = samples.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  let [longest, since] = [0, within[0]];
  for (const one of within) {
    if (since === undefined || one.bytes > since.bytes) since = one;
    longest = Math.max(longest, one.atMs - since.atMs);
  }
  return longest;
}
