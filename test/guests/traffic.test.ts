import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { killDaemon, labNodePrefix, restartDaemon } from "../../src/lab/index.ts";
import { delay } from "../../src/platform/clock.ts";
import type { MigrateOutcome, TestLab } from "../support/lab.ts";
import { sharedLab } from "../support/shared-lab.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import { move } from "./support/moves.ts";
import { createNeighbour } from "./support/neighbour.ts";
import { PingStream } from "./support/ping-stream.ts";

const guest = "10.1.0.10";
const inNamespace = (name: string) => ["/usr/sbin/ip", "netns", "exec", name];

describe("traffic of and around a guest that moves", () => {
  let lab: TestLab;

  beforeAll(async () => {
    lab = await sharedLab();
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("[rows 38] from preparing to armed no packet is lost: guest and client, guest and neighbour, host and home subnet", async () => {
    await using atHome = await createNeighbour(lab.name, "host-a", "10.1.0.50", "10.1.0.1");
    await using away = await createNeighbour(lab.name, "host-b", "10.2.0.50", "10.2.0.1");
    await using clientToGuest = await PingStream.start(labNodePrefix(lab.name, "client"), guest);
    await using neighbourToGuest = await PingStream.start(inNamespace(away.name), guest);
    await using siblingToGuest = await PingStream.start(inNamespace(atHome.name), guest);
    const hostB = labNodePrefix(lab.name, "host-b");
    await using hostToHome = await PingStream.start(hostB, "10.1.0.50");
    await using hostToGateway = await PingStream.start(hostB, "10.1.0.1");
    const streams = {
      clientToGuest,
      neighbourToGuest,
      siblingToGuest,
      hostToHome,
      hostToGateway,
    };

    const outcome = await move(lab, "host-a", "host-b");
    await Promise.all([clientToGuest, neighbourToGuest, hostToHome].map((one) => one.replies(20)));

    const [preparingMs, armedMs] = [instant(outcome, "preparing"), instant(outcome, "armed")];
    for (const [name, stream] of Object.entries(streams)) {
      const { requests, lost } = stream.between(preparingMs, armedMs);
      expect(lost, name).toEqual([]);
      expect(requests, name).toBeGreaterThan((armedMs - preparingMs) / 20);
    }
    await move(lab, "host-b", "host-a");
  });

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("with strict reverse-path filtering a session needs our source routing, and has it", async () => {
      await using _strict = await strictReversePathFilter();
      await using session = await openSession(lab);
      await move(lab, "host-a", "host-b");
      await moreEchoes(session, 50);
      const droppedBefore = await reversePathDrops();

      const rule = await sourceRule();
      // A running daemon would put it back at once.
      await killDaemon(lab.name, "host-b");
      await lab.run("host-b", ["ip", "rule", "del", ...rule]);
      // An echo that was under way may still arrive.
      await expect.poll(reversePathDrops, { timeout: 10_000 }).toBeGreaterThan(droppedBefore);
      const stalledAt = session.lines.at(-1)?.echoed;
      await delay(1_000);
      expect(session.lines.at(-1)?.echoed).toBe(stalledAt);

      await restartDaemon(lab.name, "host-b");
      await moreEchoes(session, 100);
      await move(lab, "host-b", "host-a");
      expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
    });
  }

  /** The router refuses what comes in at the wrong port, until it is disposed of. */
  async function strictReversePathFilter(): Promise<AsyncDisposable> {
    const names = ["client", "host-a", "host-b"].map((port) => `net.ipv4.conf.${port}.rp_filter`);
    const before = (await lab.run("router", ["sysctl", ...names])).replaceAll(" = ", "=");
    await lab.run("router", ["sysctl", "-qw", ...names.map((name) => `${name}=1`)]);
    return {
      async [Symbol.asyncDispose]() {
        await lab.run("router", ["sysctl", "-qw", ...before.split("\n")]);
      },
    };
  }

  /** Selector and action of the source-routing rule at host-b, as `ip rule add` and `del` take them. */
  async function sourceRule(): Promise<string[]> {
    const rules = await lab.run("host-b", ["ip", "rule", "show", "from", guest]);
    const match = /^(\d+):\s+from \S+ iif (\S+) lookup (\d+) /m.exec(rules);
    if (match === null) throw new Error(`no rule for ${guest} at host-b: ${rules}`);
    const [, priority = "", device = "", table = ""] = match;
    return ["pref", priority, "iif", device, "from", guest, "lookup", table];
  }

  /** Packets that the router has dropped because they came in at the wrong port (IPReversePathFilter). */
  async function reversePathDrops(): Promise<number> {
    const text = await lab.run("router", ["cat", "/proc/self/net/netstat"]);
    const [names = [], values = []] = text
      .split("\n")
      .filter((line) => line.startsWith("TcpExt:"))
      .map((line) => line.split(" "));
    return Number(values[names.indexOf("IPReversePathFilter")]);
  }
});

/** Wall clock of the last time a phase was entered. */
function instant({ lines }: MigrateOutcome, phase: string): number {
  const entered = lines.findLast((line) => line.type === "phase" && line.phase === phase);
  if (entered?.type !== "phase") throw new Error(`no phase ${phase}`);
  return entered.wall_clock_ms;
}
