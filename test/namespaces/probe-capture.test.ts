import { expect, test } from "vitest";
import { delay } from "../../src/platform/clock.ts";
import { type Prober, startProber } from "../../src/probe/prober.ts";
import { holesOf } from "../../src/probe/series-holes.ts";
import { packetsWhile } from "../support/capture.ts";
import { createProbePair, nftAtServer, type ProbePair } from "./probe-support.ts";

const blackoutMs = 150;
/** Every longer silence is one of ours. */
const longMs = 100;
const rounds = 7;
/** What an outage may differ from the capture's; each end of it waits for a processor once. */
const toleranceMs = 2;

/** Blackouts one after the other while the client's link is captured; differences of the two measurements. */
async function differences(
  pair: ProbePair,
  prober: Prober,
  answers: string,
  blackout: { start(): Promise<void>; end(): Promise<void> },
): Promise<number[]> {
  const lines = await packetsWhile({ name: pair.client }, "eth0", answers, async () => {
    await delay(300);
    for (let round = 0; round < rounds; round++) {
      await blackout.start();
      await delay(blackoutMs);
      await blackout.end();
      await delay(300);
    }
  });
  const measured = [...holesOf(await prober.stop())]
    .map(({ startMs, endMs }) => endMs - startMs)
    .filter((lengthMs) => lengthMs > longMs);
  const captured = gapsMs(lines).filter((lengthMs) => lengthMs > longMs);
  expect(captured.length).toBeGreaterThanOrEqual(rounds);
  expect(measured).toHaveLength(captured.length);
  return measured.map((lengthMs, index) => Math.abs(lengthMs - (captured[index] as number)));
}

/** Times between the lines of a capture. */
function gapsMs(lines: readonly string[]): number[] {
  const times = lines.map((line) => {
    const [, hours, minutes, seconds] = /^(\d+):(\d+):(\d+\.\d+) /.exec(line) ?? [];
    return (Number(hours) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000;
  });
  return times.slice(1).map((time, index) => time - (times[index] as number));
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

test("the outage of an echo session is that of a capture on the client's link", async () => {
  await using pair = await createProbePair();
  const server = await pair.serve("echo", 7);
  const target = { host: pair.serverAddress, port: 7, commandPrefix: pair.clientPrefix };
  await using prober = await startProber({ ...target, kind: "tcp-echo" });
  // Answers carry payload; bare acknowledgements come from the kernel also while the server is stopped.
  const answers = "tcp src port 7 and (tcp[tcpflags] & tcp-push != 0)";
  const found = await differences(pair, prober, answers, {
    start: async () => void server.kill("SIGSTOP"),
    end: async () => void server.kill("SIGCONT"),
  });
  expect(median(found), found.join(" ")).toBeLessThanOrEqual(toleranceMs);
});

test("the outage of packets is that of a capture on the client's link", async () => {
  await using pair = await createProbePair();
  const target = { host: pair.serverAddress, port: null, commandPrefix: pair.clientPrefix };
  await using prober = await startProber({ ...target, kind: "packet" });
  const found = await differences(pair, prober, "icmp[icmptype] == icmp-echoreply", {
    start: () =>
      nftAtServer(
        pair,
        "table ip blackout { chain in { type filter hook prerouting priority -400; drop; }; }",
      ),
    end: () => nftAtServer(pair, "delete table ip blackout"),
  });
  expect(median(found), found.join(" ")).toBeLessThanOrEqual(toleranceMs);
});
