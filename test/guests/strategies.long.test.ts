import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labNodePrefix } from "../../src/lab/index.ts";
import type { MigrationReport, TimelineEntry } from "../../src/migrator/report.ts";
import { FollowedMigration } from "../faults/support/followed-migration.ts";
import { kernelState, type MigrateOutcome, type TestLab } from "../support/lab.ts";
import { sharedLab } from "../support/shared-lab.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import { move } from "./support/moves.ts";
import { PingStream } from "./support/ping-stream.ts";
import { ShortQueue } from "./support/short-queue.ts";

type Instant = TimelineEntry["phase"];

const guest = "10.1.0.10";
const delayMs = 1_000;
const probe = ["--probe", "packet@client"];
/** The order in which the timeline shows what each strategy does. */
const orders: [strategy: string, order: Instant[]][] = [
  ["lossless", ["stop", "pre-switchover", "promise", "route-change", "continue", "resume"]],
  ["flip", ["stop", "pre-switchover", "promise", "route-change", "continue", "resume"]],
  ["post-resume", ["pre-switchover", "promise", "continue", "resume", "route-change"]],
  ["after-return", ["pre-switchover", "promise", "continue", "resume", "route-change"]],
  [`script-2009:${delayMs}`, ["promise", "continue", "resume", "route-change", "completed"]],
];

describe("strategies of the switchover", () => {
  let lab: TestLab;

  beforeAll(async () => {
    lab = await sharedLab();
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("each does things in its order, keeps the session, and leaves nothing behind", async () => {
    const before = await stateOfBoth();
    await using session = await openSession(lab);
    for (const [index, [strategy, order]] of orders.entries()) {
      const [name] = strategy.split(":");
      const probes = name === "lossless" ? probe : ["--no-probe"];
      const options = [...probes, "--strategy", strategy];
      await using pings = await PingStream.start(labNodePrefix(lab.name, "client"), guest);
      // There and back in turn; asked for at home, so that the wish to come back reaches the host where the guest is.
      const to = index % 2 === 0 ? "host-b" : "host-a";
      const outcome = await move(lab, "host-a", to, options);
      const report = reported(outcome.report);
      expect(stopFirst(report, instants(report, order)), strategy).toEqual(order);
      if (name === "lossless") {
        expect(report).not.toHaveProperty("strategy");
        await pings.replies(20);
        const { lost } = pings.between(
          wallClockOf(outcome, "armed"),
          wallClockOf(outcome, "resumed"),
        );
        expect(lost).toEqual([]);
        expect(report.probes.packet).toMatchObject({ lost: 0, reordered: 0 });
        expect(report.packets_dropped).toBe(0);
      } else expect(report.strategy).toBe(name);
      if (name === "script-2009") {
        expect(at(report, "route-change") - at(report, "prepared")).toBeGreaterThanOrEqual(delayMs);
      }
      expect(report).toMatchObject({ clock_offset_ms: 0, clock_error_ms: expect.any(Number) });
      await moreEchoes(session, 20);
    }
    await move(lab, "host-a", "host-a");
    expect(await stateOfBoth()).toEqual(before);
    expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
  });

  test("packets that the destination's tap has no room for are reported as lost", async () => {
    const command = ["sojourn", "migrate", "web1", "--to", "host-b", "--json", ...probe];
    const [program = "", ...args] = [...labNodePrefix(lab.name, "host-a"), ...command];
    const migration = new FollowedMigration(spawn(program, args));
    {
      await using queue = new ShortQueue(lab, "host-b", "web1");
      // Early enough, however late the word that the source is armed comes to be heard here.
      await migration.phase("precopy");
      queue.begin();
      // It stays short until the next change of the network, after the resume.
      await migration.phase("stop");
    }
    const { last } = await migration.ended;
    const report = last.type === "report" ? last : null;
    expect(report?.packets_dropped).toBeGreaterThan(0);
    const text = await lab.run("host-a", ["sojourn", "report", reported(report).id]);
    expect(text).toMatch(/warning: \d+ packets .* queue on host-b full/);
    await move(lab, "host-a", "host-a");
  });

  test("a strategy that is not understood is refused before anything happens", async () => {
    for (const strategy of ["fast", "script-2009", "flip:10"]) {
      const refused = await lab.migrate("host-a", "web1", "host-b", ["--strategy", strategy]);
      expect({ exitCode: refused.exitCode, last: refused.error?.code }, strategy).toEqual({
        exitCode: 2,
        last: "SOJ_USAGE",
      });
    }
  });

  async function stateOfBoth() {
    return [await kernelState(lab, "host-a"), await kernelState(lab, "host-b")];
  }
});

function reported(report: MigrationReport | null): MigrationReport {
  if (report === null) throw new Error("there is no report");
  return report;
}

/** QEMU's migration goes on while the last processor comes to rest, and the two are stamped in either order then. */
function stopFirst(report: MigrationReport, [first, second, ...rest]: Instant[]): Instant[] {
  const isSwapped = first === "pre-switchover" && second === "stop";
  if (!isSwapped || at(report, "stop") - at(report, "pre-switchover") > 2) {
    return [first, second, ...rest].filter((instant) => instant !== undefined);
  }
  return [second, first, ...rest];
}

/** Those of `wanted` that the timeline shows, in its order. */
function instants({ timeline }: MigrationReport, wanted: readonly Instant[]): Instant[] {
  return timeline.map(({ phase }) => phase).filter((phase) => wanted.includes(phase));
}

/** The source's wall clock (ms since 1970) at an instant. */
function wallClockOf({ lines }: MigrateOutcome, instant: Instant): number {
  const event = lines.find((line) => line.type === "phase" && line.phase === instant);
  return event?.type === "phase" ? event.wall_clock_ms : Number.NaN;
}

function at({ timeline }: MigrationReport, instant: Instant): number {
  return timeline.find(({ phase }) => phase === instant)?.at_ms ?? Number.NaN;
}
