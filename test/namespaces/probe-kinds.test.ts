import { expect, test } from "vitest";
import { delay, monotonicMs } from "../../src/platform/clock.ts";
import { runCommand } from "../../src/platform/command.ts";
import { analyzeHttp, analyzePackets, analyzeStream } from "../../src/probe/analysis.ts";
import { startProber } from "../../src/probe/prober.ts";
import { runProbe } from "../../src/probe/run-probe.ts";
import type { PacketSeries, ProbeKind, ProbeSeries } from "../../src/probe/series.ts";
import { createProbePair, nftAtServer, type ProbePair } from "./probe-support.ts";

const blackoutMs = 300;

const start = (pair: ProbePair, kind: ProbeKind, port: number | null, maxMbps?: number) =>
  startProber({
    kind,
    port,
    host: pair.serverAddress,
    commandPrefix: pair.clientPrefix,
    ...(maxMbps === undefined ? {} : { maxMbps }),
  });

/** A server whose packets are dropped on arrival for a while, after half a second of rest. */
async function acrossBlackout(pair: ProbePair, probe: ReturnType<typeof start>) {
  await using prober = await probe;
  await delay(500);
  const startMs = monotonicMs();
  await nftAtServer(
    pair,
    "table ip blackout { chain in { type filter hook prerouting priority -400; drop; }; }",
  );
  await delay(blackoutMs);
  await nftAtServer(pair, "delete table ip blackout");
  const resumedMs = monotonicMs();
  await delay(1500);
  const series = await prober.stop();
  return { series, instants: { startMs, resumedMs, settledMs: monotonicMs() } };
}

function only<Kind extends ProbeKind>(series: ProbeSeries, kind: Kind) {
  if (series.kind !== kind) throw new Error(`not a ${kind} series`);
  return series as Extract<ProbeSeries, { kind: Kind }>;
}

test("packets: what is dropped is counted, and the hole is measured", async () => {
  await using pair = await createProbePair();
  const { series, instants } = await acrossBlackout(pair, start(pair, "packet", null));
  const result = analyzePackets(only(series, "packet"), instants);
  expect(result.outage_ms).toBeGreaterThanOrEqual(blackoutMs - 20);
  expect(result.outage_ms).toBeLessThan(blackoutMs + 250);
  // 1 kHz, of which a loaded machine may miss some.
  expect(result.sent).toBeGreaterThan(1000);
  expect(result.lost).toBeGreaterThan(blackoutMs / 4);
  expect(result.lost).toBeLessThan(blackoutMs * 1.3);
  expect(result).toMatchObject({ duplicated: 0, reordered: 0 });
});

test("packets: what is doubled on its way is counted, and not taken for more answers", async () => {
  await using pair = await createProbePair();
  const duplicate = `table ip probe { chain out { type filter hook postrouting priority 0;
    ip protocol icmp dup to 198.51.100.1 device eth0; }; }`;
  await nftAtServer(pair, duplicate);
  await using prober = await start(pair, "packet", null);
  await delay(500);
  const { counts, receivedMs } = only(await prober.stop(), "packet") satisfies PacketSeries;
  expect(counts).toMatchObject({ lost: 0, reordered: 0 });
  expect(receivedMs.length).toBe(counts.sent);
  // A copy of the last answers may still be under way.
  expect(counts.duplicated).toBeGreaterThan(counts.sent * 0.9);
});

test("packets: answers that ping has no room for are told from lost ones", async () => {
  await using pair = await createProbePair();
  await using prober = await start(pair, "packet", null);
  const [ping] = (
    await runCommand("pgrep", ["-f", `^/usr/bin/ping .* ${pair.serverAddress}$`])
  ).stdout
    .split("\n")
    .map(Number);
  if (ping === undefined) throw new Error("no ping runs");
  const asFlood = [
    "netns",
    "exec",
    pair.client,
    "ping",
    "-f",
    "-q",
    "-c",
    "2000",
    pair.serverAddress,
  ];
  process.kill(ping, "SIGSTOP");
  await runCommand("ip", asFlood);
  process.kill(ping, "SIGCONT");
  await delay(300);
  const { counts } = only(await prober.stop(), "packet");
  expect(counts.unread).toBeGreaterThan(100);
  expect(counts).toMatchObject({ lost: 0, reordered: 0 });
});

test("packets: a host that does not answer, and one who may not ask, is told as what it is", async () => {
  await using pair = await createProbePair();
  const silent = { code: "SOJ_PROBE_NO_ANSWER", exitCode: 3, retryable: true };
  const shared = { kind: "packet", port: null, commandPrefix: pair.clientPrefix } as const;
  await expect(
    startProber({ ...shared, host: "198.51.100.77", connectTimeoutMs: 400 }),
  ).rejects.toMatchObject(silent);
  await expect(startProber({ ...shared, host: "203.0.113.1" })).rejects.toMatchObject({
    ...silent,
    message: expect.stringContaining("unreachable"),
  });
  const asNobody = [...pair.clientPrefix, "/usr/bin/setpriv", "--reuid=65534", "--"];
  await expect(
    startProber({ ...shared, host: pair.serverAddress, commandPrefix: asNobody }),
  ).rejects.toMatchObject({ ...silent, hint: expect.stringContaining("root") });
});

test("an upload sees by its acknowledgements what the send buffer hides", async () => {
  await using pair = await createProbePair();
  await pair.serve("silent", 9);
  const { series, instants } = await acrossBlackout(pair, start(pair, "tcp-upload", 9, 80));
  const result = analyzeStream(only(series, "tcp-upload"), instants);
  expect(result).toMatchObject({ sessions: 1, broken: 0 });
  expect(result.outage_ms).toBeGreaterThanOrEqual(blackoutMs - 20);
  expect(result.outage_ms).toBeLessThan(blackoutMs + 1000);
  expect(result.before_mbps).toBeGreaterThan(40);
  expect(result.before_mbps).toBeLessThan(90);
  // A lost flight of segments is sent again, and nothing but the timer says so.
  expect(result.retransmissions).toBeGreaterThan(0);
  expect(result.rto).toBeGreaterThan(0);
});

test("a session that loses nothing has no retransmission to report", async () => {
  await using pair = await createProbePair();
  await pair.serve("echo", 7);
  const result = await runProbe({
    kind: "tcp-echo",
    host: pair.serverAddress,
    port: 7,
    commandPrefix: pair.clientPrefix,
    durationMs: 500,
  });
  expect(result).toMatchObject({ broken: 0, retransmissions: 0, rto: 0 });
});

test("an HTTP client sees the hole, and the guest's clock and counters around it", async () => {
  await using pair = await createProbePair();
  await pair.serve("guest", 80);
  const { series, instants } = await acrossBlackout(pair, start(pair, "http", 80));
  const result = analyzeHttp(only(series, "http"), instants);
  expect(result).toMatchObject({
    sessions: 1,
    broken: 0,
    status_errors: 0,
    guest_retransmissions: 0,
    guest_rto: 0,
  });
  expect(result.outage_ms).toBeGreaterThanOrEqual(blackoutMs - 20);
  expect(result.outage_ms).toBeLessThan(blackoutMs + 1000);
  // The server's clock did not stop meanwhile.
  expect(result.guest_clock_error_ms).not.toBeNull();
  expect(Math.abs(result.guest_clock_step_ms ?? 1e6)).toBeLessThanOrEqual(
    (result.guest_clock_error_ms ?? 0) + 1,
  );
});

test("a server that announces the end of a connection gets a new one, and error answers are counted", async () => {
  await using pair = await createProbePair();
  await pair.serve("closing-http", 80);
  await using prober = await start(pair, "http", 80);
  await delay(1000);
  const series = only(await prober.stop(), "http");
  expect(series.broken).toBeNull();
  expect(series.receivedMs.length).toBeGreaterThan(25);
  // One of the answers was to the question for the guest's clock.
  expect(series.statusErrors).toBe(series.receivedMs.length - 1);
});

test("a server that is no HTTP server, or ends without a word, is told as what it is", async () => {
  await using pair = await createProbePair();
  await pair.serve("chargen", 80);
  await expect(start(pair, "http", 80)).rejects.toMatchObject({
    code: "SOJ_PROBE_NO_ANSWER",
    retryable: false,
  });
  const server = await pair.serve("guest", 81);
  await using prober = await start(pair, "http", 81);
  server.kill("SIGKILL");
  await delay(500);
  expect((await prober.stop()).broken).not.toBeNull();
});
