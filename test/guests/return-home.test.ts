import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MigrationPlan } from "../../src/daemon/services.ts";
import { daemonSocket } from "../../src/lab/index.ts";
import { namespaceName } from "../../src/lab/layout.ts";
import { packetsWhile } from "../support/capture.ts";
import { ask } from "../support/get.ts";
import { kernelState, type TestLab } from "../support/lab.ts";
import { valueIn } from "../support/scrape.ts";
import { sharedLab } from "../support/shared-lab.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import { move } from "./support/moves.ts";

const guest = "10.1.0.10";
const nodes = ["host-a", "host-b", "router", "client"];
/** On the wire between the hosts: RFC 2003 and RFC 7348. */
const carriedIn = { ipip: "ip proto 4", vxlan: "udp dst port 4789" };

describe("a guest that comes home", () => {
  let lab: TestLab;
  let before: Record<string, unknown>;
  let countedBefore: string[];

  beforeAll(async () => {
    lab = await sharedLab();
    before = await stateOfAll();
    countedBefore = await Promise.all(["host-a", "host-b"].map(scrape));
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("a dry run says for both hosts what would be done and undone, and does nothing", async () => {
    const command = ["sojourn", "migrate", "web1", "--to", "host-b", "--dry-run"];
    const text = await lab.run("host-a", command);
    for (const line of [/^ip rule add .* from 10\.1\.0\.10/m, /^ip route .*10\.1\.0\.10/m]) {
      expect(text).toMatch(line);
    }
    for (const tool of ["nft", "tc"]) expect(text).toMatch(new RegExp(`^(#.*)?${tool} `, "m"));

    const plan: MigrationPlan = JSON.parse(await lab.run("host-a", [...command, "--json"]));
    expect(plan).toMatchObject({ type: "plan", guest: "web1", from: "host-a", to: "host-b" });
    for (const host of ["host-a", "host-b"]) {
      const lines = plan.hosts.flatMap((part) => (part.host === host ? part.lines : []));
      const undone = lines.filter(({ undo }) => undo !== null);
      expect(undone.length, `undo on ${host}`).toBeGreaterThan(0);
    }
    expect(await stateOfAll()).toEqual(before);
  });

  test.each([
    { kind: "ipip", homeFrom: "host-a" },
    { kind: "vxlan", homeFrom: "host-b" },
  ] as const)(
    "leaves nothing behind: $kind, sent home by $homeFrom",
    async ({ kind, homeFrom }) => {
      await using session = await openSession(lab);
      const seen = await packetsBetweenHosts(kind, async () => {
        const out = await move(lab, "host-a", "host-b", ["--no-probe", "--tunnel", kind]);
        expect(out.report?.tunnel?.kind).toBe(kind);
        await moreEchoes(session, 50);
        expect(await stateOfAll()).not.toEqual(before);
        await move(lab, homeFrom, "host-a", ["--no-probe", "--tunnel", kind]);
      });
      expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
      expect(seen.tunnelled).toBeGreaterThan(100);
      expect(seen.clear).toEqual([]);
      expect(await stateOfAll()).toEqual(before);
    },
  );

  test("metrics of both hosts tell of the moves, and of nothing that is left", async () => {
    const peerIsUp = async (host: string, peer: string) =>
      valueIn(await scrape(host), "sojourn_peer_up", { peer });
    // Peers are not asked while a guest stands, and the two moves took most of the time so far.
    await expect.poll(() => peerIsUp("host-a", "host-b"), { timeout: 20_000 }).toBe(1);
    await expect.poll(() => peerIsUp("host-b", "host-a"), { timeout: 20_000 }).toBe(1);
    const [home, away] = await Promise.all(["host-a", "host-b"].map(scrape));
    const completed = { outcome: "completed" };
    const grown = (host: 0 | 1, name: string, labels?: Record<string, string>) => {
      const [earlier, now] = [countedBefore[host], [home, away][host]];
      return (valueIn(now ?? "", name, labels) ?? 0) - (valueIn(earlier ?? "", name, labels) ?? 0);
    };
    for (const [index, text = "", other] of [
      [0, home, "host-b"],
      [1, away, "host-a"],
    ] as const) {
      expect(grown(index, "sojourn_migrations_total", { ...completed, to: other })).toBe(2);
      expect(grown(index, "sojourn_migration_blackout_seconds_count")).toBe(2);
      expect(valueIn(text, "sojourn_migration_blackout_seconds_sum")).toBeGreaterThan(0);
      expect(valueIn(text, "sojourn_journal_append_duration_seconds_count")).toBeGreaterThan(10);
      expect(valueIn(text, "sojourn_peer_up", { peer: other })).toBe(1);
      for (const gone of ["guests_frozen", "migrations_in_doubt", "redirects", "network_alarm"]) {
        expect(valueIn(text, `sojourn_${gone}`), gone).toBe(0);
      }
    }
    expect(valueIn(home ?? "", "sojourn_guests", { state: "running" })).toBe(1);
    expect(valueIn(away ?? "", "sojourn_guests", { state: "running" })).toBe(0);
    expect(grown(0, "sojourn_redirects_retired_total", { reason: "returned" })).toBe(2);
  });

  test.each([
    { from: "host-a", to: "host-b", prober: "host-b" },
    ...(process.env.SOJOURN_FAULTS_ALL ? [{ from: "host-b", to: "host-a", prober: "host-b" }] : []),
  ])(
    "nothing is lost of what $prober itself sends to a guest that goes from $from to $to",
    async ({ from, to, prober }) => {
      const { report } = await move(lab, from, to, ["--probe", `packet@${prober}`]);
      expect(report?.probes.packet).toMatchObject({ lost: 0 });
    },
  );

  async function scrape(host: string): Promise<string> {
    return (await ask(daemonSocket(lab.name, host), "/metrics")).body;
  }

  async function stateOfAll(): Promise<Record<string, unknown>> {
    const states = await Promise.all(
      nodes.map(async (node) => [node, await kernelState(lab, node)] as const),
    );
    return Object.fromEntries(states);
  }

  /**
   * What the router sees at its port to host-b while `action` runs: packets in the tunnel, and packets of the
   * guest's own address outside of any.
   */
  async function packetsBetweenHosts(kind: keyof typeof carriedIn, action: () => Promise<void>) {
    const router = { name: namespaceName(lab.name, "router") };
    let clear: string[] = [];
    const hosts = "host 172.16.1.2 and host 172.16.2.2";
    const tunnelled = await packetsWhile(
      router,
      "host-b",
      `${carriedIn[kind]} and ${hosts}`,
      async () => {
        const other = kind === "ipip" ? carriedIn.vxlan : carriedIn.ipip;
        clear = await packetsWhile(router, "host-b", `host ${guest} or ${other}`, action);
      },
    );
    return { tunnelled: tunnelled.length, clear };
  }
});
