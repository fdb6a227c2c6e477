import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MigrationPlan } from "../../src/daemon/services.ts";
import { kernelStates } from "../faults/support/kernel-states.ts";
import { TestLab } from "../support/lab.ts";
import { expectCompleted, tunnelsByHost } from "./support/chains.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import type { ManySessionsLine } from "./support/many-sessions.ts";
import { NodeProgram } from "./support/node-program.ts";

const hosts = ["host-a", "host-b", "host-c"] as const;
const nodes = [...hosts, "router", "client"];
const sessions = 100;

/** What comes straight from home may overtake what went by way of the source: at most what was on that way at 1 kHz. */
const mostReordered = 20;

const probes = ["tcp-echo:7@client", "tcp-stream:19@client", "packet@client"];
const measured = probes.flatMap((probe) => ["--probe", probe]);

describe("guests that move on from host to host", () => {
  let lab: TestLab;
  let before: Record<string, Record<string, string>>;

  beforeAll(async () => {
    lab = await TestLab.up(`chains${process.pid}`, ["--hosts", "3", "--guests", "2"]);
    before = await kernelStates(lab, nodes);
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("from home to a host, to another, and home: nothing is lost, and one tunnel leads to where the guest is", async () => {
    await using session = await openSession(lab);
    const args = ["10.1.0.10", "7", `${sessions}`];
    await using many = NodeProgram.start<ManySessionsLine>(
      ...[lab.name, "client", "many-sessions.ts", args],
    );
    await many.line(({ leastEchoed }) => leastEchoed >= 1);

    await moveMeasured("host-a", "host-b", "host-a");
    const plan = await planned("host-b", "host-c");
    expect(plan).toMatchObject({ from: "host-b", to: "host-c" });
    // Whoever asks at home is answered by the host where the guest is.
    expect(partsOf(await planned("host-a", "host-c"))).toEqual(partsOf(plan));
    const atHome = plan.hosts.filter(({ host }) => host === "host-a");
    expect(atHome.map(({ when }) => when)).toEqual(["prepare", "resumed"]);
    const repointing = atHome.find(({ when }) => when === "resumed")?.lines;
    expect(repointing).toEqual([
      {
        command: expect.stringMatching(/^ip route replace 10\.1\.0\.10/),
        undo: expect.stringMatching(/^ip route replace 10\.1\.0\.10/),
      },
    ]);

    await moveMeasured("host-b", "host-c", "host-a");
    await moreEchoes(session, 20);
    await moveMeasured("host-c", "host-a", "host-c");

    const heard = many.lines.at(-1)?.leastEchoed ?? 0;
    await many.line(({ leastEchoed }) => leastEchoed > heard);
    expect(await many.finish()).toMatchObject({ open: sessions, broken: [], wrong: null });
    expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
    expect(await kernelStates(lab, nodes)).toEqual(before);
  });

  /** One move of web1 under traffic, of which nothing is lost or broken. */
  async function moveMeasured(from: string, to: string, asked: string): Promise<void> {
    const outcome = await lab.migrate(asked, "web1", to, measured);
    expectCompleted(outcome);
    const { report } = outcome;
    expect(report).toMatchObject({ from, to });
    const where = `${from} to ${to}: ${JSON.stringify(report?.probes.packet)}`;
    expect(report?.probes.packet?.lost, where).toBe(0);
    expect(report?.probes.packet?.reordered, where).toBeLessThanOrEqual(mostReordered);
    expect(report?.probes.tcp_echo, where).toMatchObject({ broken: 0 });
    expect(report?.probes.tcp_stream, where).toMatchObject({ broken: 0 });
    const established = report?.flows?.established ?? 0;
    expect(established).toBeGreaterThanOrEqual(sessions);
    expect(report?.flows?.survived).toBe(established);
    const isAway = to !== "host-a";
    expect(await tunnelsByHost(lab, hosts)).toEqual({
      "host-a": isAway ? 1 : 0,
      "host-b": to === "host-b" ? 1 : 0,
      "host-c": to === "host-c" ? 1 : 0,
    });
  }

  async function planned(asked: string, to: string): Promise<MigrationPlan> {
    const command = ["sojourn", "migrate", "web1", "--to", to, "--dry-run", "--json"];
    return JSON.parse(await lab.run(asked, command));
  }
});

function partsOf({ from, hosts }: MigrationPlan) {
  return { from, parts: hosts.map(({ host, when, lines }) => [host, when, lines.length]) };
}
