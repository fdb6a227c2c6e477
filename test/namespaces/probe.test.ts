import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { delay, monotonicMs, wallClockMs } from "../../src/platform/clock.ts";
import { analyzeEcho, analyzeStream } from "../../src/probe/analysis.ts";
import { type Prober, startProber } from "../../src/probe/prober.ts";
import { runProbe } from "../../src/probe/run-probe.ts";
import { toMonotonicMs } from "../../src/probe/series.ts";
import {
  createProbePair,
  endChild,
  firstOutput,
  type ProbePair,
  spawnNode,
} from "./probe-support.ts";

const blackoutMs = 300;

/** Lets a floor be measured, makes a blackout, waits until the session is back. */
async function withBlackout(
  prober: Prober,
  silence: () => Promise<void>,
  end: () => Promise<void>,
) {
  await delay(500);
  const startMs = monotonicMs();
  await silence();
  await delay(blackoutMs);
  await end();
  const resumedMs = monotonicMs();
  await delay(1500);
  const series = await prober.stop();
  return { series, instants: { startMs, resumedMs, settledMs: monotonicMs() } };
}

const echo = (pair: ProbePair) =>
  startProber({
    kind: "tcp-echo",
    host: pair.serverAddress,
    port: 7,
    commandPrefix: pair.clientPrefix,
  });

test("an echo session sees a link that is down for 300 ms, and stays", async () => {
  await using pair = await createProbePair();
  await pair.serve("echo", 7);
  await using prober = await echo(pair);
  const { series, instants } = await withBlackout(
    prober,
    () => pair.setServerLink("down"),
    () => pair.setServerLink("up"),
  );
  if (series.kind !== "tcp-echo") throw new Error("not an echo series");
  const result = analyzeEcho(series, instants);
  expect(result).toMatchObject({ sessions: 1, broken: 0 });
  expect(result.outage_ms).toBeGreaterThanOrEqual(blackoutMs - 20);
  // The peer's retransmission timer adds to it.
  expect(result.outage_ms).toBeLessThan(blackoutMs + 1000);
  expect(result.floor_ms).toBeLessThan(150);
  expect(Math.abs(toMonotonicMs(series.clock, wallClockMs()) - monotonicMs())).toBeLessThan(50);
});

test("nothing is asked while an answer is outstanding, and an answer that is late costs no more than its delay", async () => {
  await using pair = await createProbePair();
  const server = await pair.serve("echo", 7);
  await using prober = await echo(pair);
  const { series, instants } = await withBlackout(
    prober,
    async () => void server.kill("SIGSTOP"),
    async () => void server.kill("SIGCONT"),
  );
  if (series.kind !== "tcp-echo") throw new Error("not an echo series");
  const { outage_ms } = analyzeEcho(series, instants);
  expect(outage_ms).toBeGreaterThanOrEqual(blackoutMs - 20);
  expect(outage_ms).toBeLessThan(blackoutMs + 250);
  const sentMeanwhile = series.sentMs.filter(
    (timeMs) => timeMs > instants.startMs + 20 && timeMs < instants.resumedMs,
  );
  expect(sentMeanwhile).toHaveLength(0);
});

test("a limited stream sees a link that is down for 300 ms, and its throughput come back", async () => {
  await using pair = await createProbePair();
  await pair.serve("chargen", 19);
  await using prober = await startProber({
    kind: "tcp-stream",
    host: pair.serverAddress,
    port: 19,
    maxMbps: 80,
    commandPrefix: pair.clientPrefix,
  });
  const { series, instants } = await withBlackout(
    prober,
    () => pair.setServerLink("down"),
    () => pair.setServerLink("up"),
  );
  if (series.kind !== "tcp-stream") throw new Error("not a stream series");
  const result = analyzeStream(series, instants);
  expect(result).toMatchObject({ sessions: 1, broken: 0 });
  // What waits in the receive buffer shortens the hole of a limited stream.
  expect(result.outage_ms).toBeGreaterThan(blackoutMs / 2);
  expect(result.outage_ms).toBeLessThan(blackoutMs + 1000);
  expect(result.before_mbps).toBeGreaterThan(40);
  expect(result.before_mbps).toBeLessThan(90);
  expect(result.recovery_ms).toBeLessThan(1200);
});

test("a stream without a limit is read at full speed, every byte compared", async () => {
  await using pair = await createProbePair();
  await pair.serve("chargen", 19);
  const result = await runProbe({
    kind: "tcp-stream",
    host: pair.serverAddress,
    port: 19,
    commandPrefix: pair.clientPrefix,
    durationMs: 500,
  });
  expect(result).toMatchObject({ type: "probe", sessions: 1, broken: 0, round_trip_ms: null });
  expect(result.mbps).toBeGreaterThan(100);
});

test("a server that is killed breaks the session, and the run ends early", async () => {
  await using pair = await createProbePair();
  const server = await pair.serve("echo", 7);
  const startMs = monotonicMs();
  let seen = 0;
  const result = await runProbe({
    kind: "tcp-echo",
    host: pair.serverAddress,
    port: 7,
    commandPrefix: pair.clientPrefix,
    durationMs: 30_000,
    onLive: () => {
      seen++;
      if (seen === 3) server.kill("SIGKILL");
    },
  });
  expect(monotonicMs() - startMs).toBeLessThan(20_000);
  expect(result).toMatchObject({ sessions: 1, broken: 1 });
  expect(result.broken_reason).not.toBeNull();
});

test("an answer that is not what was sent breaks the session", async () => {
  await using pair = await createProbePair();
  await pair.serve("wrong-later", 7);
  await using prober = await echo(pair);
  await delay(1000);
  const series = await prober.stop();
  expect(series.broken).toMatchObject({ reason: "mismatch" });
});

test("targets without a session to measure are a precondition that is not met", async () => {
  await using pair = await createProbePair();
  const shared = { host: pair.serverAddress, commandPrefix: pair.clientPrefix };
  const refused = { code: "SOJ_PROBE_NO_ANSWER", exitCode: 3 };
  await expect(startProber({ ...shared, kind: "tcp-echo", port: 7 })).rejects.toMatchObject(
    refused,
  );
  await pair.serve("silent", 8);
  await expect(
    startProber({ ...shared, kind: "tcp-echo", port: 8, connectTimeoutMs: 300 }),
  ).rejects.toMatchObject(refused);
  await pair.serve("chargen", 19);
  await expect(startProber({ ...shared, kind: "tcp-echo", port: 19 })).rejects.toMatchObject({
    ...refused,
    retryable: false,
  });
});

test("a prober that is killed is a typed error; one that cannot start, too", async () => {
  await using pair = await createProbePair();
  await pair.serve("echo", 7);
  let proberPid = 0;
  await using prober = await startProber({
    kind: "tcp-echo",
    host: pair.serverAddress,
    port: 7,
    commandPrefix: pair.clientPrefix,
    onProcess: (pid) => {
      proberPid = pid;
    },
  });
  process.kill(proberPid, "SIGKILL");
  await prober.exited;
  await expect(prober.stop()).rejects.toMatchObject({ code: "SOJ_PROBER_DIED" });
  const noPrefix = { kind: "tcp-echo", host: "192.0.2.1", port: 7 } as const;
  await expect(
    startProber({ ...noPrefix, commandPrefix: ["/nonexistent/program"] }),
  ).rejects.toMatchObject({ code: "SOJ_PROBER_DIED" });
  await expect(
    startProber({ ...noPrefix, commandPrefix: ["/usr/bin/false"] }),
  ).rejects.toMatchObject({ code: "SOJ_PROBER_DIED" });
});

test("a prober ends when its parent is killed", async () => {
  const sessions: Promise<unknown>[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    // A prober that has not read everything ends its session with a reset, which is an end as well.
    sessions.push(new Promise((resolve) => socket.on("close", resolve)));
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? String(address?.port) : "";
  const parent = spawnNode([], "./probe-parent.ts", ["127.0.0.1", port]);
  try {
    expect(await firstOutput(parent)).toMatch(/^ready/);
    await endChild(parent);
    expect(sessions).toHaveLength(1);
    await sessions[0];
  } finally {
    await endChild(parent);
    server.close();
  }
});
