import { expect, test } from "vitest";
import { PeerMonitor } from "../../../src/daemon/peer-monitor.ts";
import type { baseProcedures } from "../../../src/daemon/procedures.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import type { PeerCaller } from "../../../src/platform/procedures.ts";
import { FakeClock } from "../platform/fake-clock.ts";

test("each peer is asked at once, and one that answers every quarter of a minute", async () => {
  using bed = new Bed();
  using _monitor = bed.start();
  await expect
    .poll(() => bed.seen.toSorted())
    .toEqual(["host-b up", "host-c SOJ_PEER_UNREACHABLE"]);
  bed.clock.run(14_999);
  expect(bed.timesAsked("host-b")).toBe(1);
  bed.clock.run(1);
  expect(bed.timesAsked("host-b")).toBe(2);
});

test("a peer that does not answer is asked again after one second, two, four and at most fifteen", async () => {
  using bed = new Bed();
  using _monitor = bed.start();
  let times = 1;
  for (const delayMs of [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
    await expect.poll(() => bed.timesFailed).toBe(times);
    bed.clock.run(delayMs - 1);
    expect(bed.timesAsked("host-c"), `before ${delayMs} ms`).toBe(times);
    bed.clock.run(1);
    times += 1;
    expect(bed.timesAsked("host-c"), `after ${delayMs} ms`).toBe(times);
  }
});

test("nobody is asked while a guest stands, and everybody soon afterwards", async () => {
  using bed = new Bed();
  bed.isGuestStanding = true;
  using _monitor = bed.start();
  bed.clock.run(60_000);
  expect(bed.asked).toEqual([]);
  bed.isGuestStanding = false;
  bed.clock.run(1_000);
  expect(bed.asked).toEqual(["host-b", "host-c"]);
});

test("a peer that has not answered yet is not asked again", async () => {
  using bed = new Bed();
  bed.answer = new Promise(() => {});
  using _monitor = bed.start();
  bed.clock.run(120_000);
  expect(bed.timesAsked("host-b")).toBe(1);
});

test("once it is disposed nobody is asked, and an answer that was cut off is no failure", async () => {
  using bed = new Bed();
  bed.answer = new Promise(() => {});
  const monitor = bed.start();
  await expect.poll(() => bed.seen).toEqual(["host-c SOJ_PEER_UNREACHABLE"]);
  monitor[Symbol.dispose]();
  bed.clock.run(120_000);
  expect(bed.asked).toHaveLength(2);
  expect(bed.seen).toEqual(["host-c SOJ_PEER_UNREACHABLE"]);
});

/** Two peers, of which one is not there. */
class Bed implements Disposable {
  readonly clock = new FakeClock();
  readonly asked: string[] = [];
  readonly seen: string[] = [];
  isGuestStanding = false;
  answer: Promise<unknown> = Promise.resolve({});

  start(): PeerMonitor {
    return new PeerMonitor({
      host: "host-a",
      peers: [this.#caller("host-b"), this.#caller("host-c")],
      isGuestStanding: () => this.isGuestStanding,
      observer: {
        answered: (peer) => this.seen.push(`${peer} up`),
        failed: (peer, code) => this.seen.push(`${peer} ${code}`),
      },
    });
  }

  timesAsked(peer: string): number {
    return this.asked.filter((asked) => asked === peer).length;
  }

  get timesFailed(): number {
    return this.seen.filter((line) => line.startsWith("host-c ")).length;
  }

  #caller(peer: string): PeerCaller<typeof baseProcedures> {
    const call = async () => {
      this.asked.push(peer);
      if (peer === "host-b") return await this.answer;
      throw new SojournError("SOJ_PEER_UNREACHABLE", "nobody is there");
    };
    return { peer, call } as unknown as PeerCaller<typeof baseProcedures>;
  }

  [Symbol.dispose](): void {
    this.clock[Symbol.dispose]();
  }
}
