import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namespaceName } from "../../src/lab/layout.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";
import { packetsWhile } from "../support/capture.ts";
import { kernelState, TestLab } from "../support/lab.ts";
import { echoingCaller, type GuestOverlay } from "./support/calling-guest.ts";
import type { CallLine } from "./support/echo-caller.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import type { ManySessionsLine } from "./support/many-sessions.ts";
import { move } from "./support/moves.ts";
import { NodeProgram } from "./support/node-program.ts";

const guest = "10.1.0.10";
const renumbered = "10.2.0.10";
const callPort = 7200;
const segments = join(import.meta.dirname, "../support/programs/segments.pl");

describe("flows of a guest that moves", () => {
  let lab: TestLab;
  let overlay: GuestOverlay;

  beforeAll(async () => {
    overlay = echoingCaller(callPort);
    const options = ["--hosts", "2", "--guest-overlay", overlay.folder];
    lab = await TestLab.up(`flows${process.pid}`, options);
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    overlay[Symbol.dispose]();
  });

  test("[rows 38] those behind home's address translation, 200 more and 20 000 replayed ones pass a firewall that drops all others, there and back", async () => {
    const before = await stateOfAll();
    await load("host-a", translation);
    await load("host-b", firewall);
    await using call = NodeProgram.start<CallLine>(lab.name, "client", "echo-caller.ts", [
      `${callPort}`,
    ]);
    await using direct = await openSession(lab);
    await using forwarded = await openSession(lab, "172.16.1.2", "8007");
    await using many = NodeProgram.start<ManySessionsLine>(lab.name, "client", "many-sessions.ts", [
      guest,
      "7",
      "200",
    ]);
    await many.line(({ leastEchoed }) => leastEchoed >= 2);
    // The guest's call bears its home's address.
    await call.line(({ from, echoed }) => from === "172.16.1.2" && echoed > 20);
    await lab.run("host-a", ["node", fill, guest, "20000"]);

    for (const [from, to] of [
      ["host-a", "host-b"],
      ["host-b", "host-a"],
    ] as const) {
      const { report } = await move(lab, from, to);
      const established = report?.flows?.established ?? 0;
      expect(established, `from ${from}`).toBeGreaterThanOrEqual(20_203);
      expect(report?.flows?.survived, JSON.stringify(report?.flows)).toBe(established);
      expect(report?.flows?.refused).toBeUndefined();
      if (to === "host-b") {
        const sent = (await lab.run("client", ["perl", segments, ...replayed])).trim();
        expect(sent).toBe("20000");
        await expect.poll(accepted, { timeout: 10_000 }).toBe(20_000);
      }
      await Promise.all([moreEchoes(direct, 20), moreEchoes(forwarded, 20)]);
      const heard = many.lines.at(-1)?.leastEchoed ?? 0;
      await many.line(({ leastEchoed }) => leastEchoed > heard);
      const called = call.lines.at(-1)?.echoed ?? 0;
      await call.line(({ echoed }) => echoed > called + 20);
    }

    expect(await direct.finish()).toMatchObject({ broken: null, wrong: null });
    expect(await forwarded.finish()).toMatchObject({ broken: null, wrong: null });
    expect(await many.finish()).toMatchObject({ open: 200, broken: [], wrong: null });
    expect(await call.finish()).toMatchObject({ broken: null, wrong: null });
    await lab.run("host-a", ["nft", "delete", "table", "ip", "translation"]);
    await lab.run("host-b", ["nft", "delete", "table", "ip", "firewall"]);
    // Nobody ends what was replayed.
    await lab.run("host-a", ["conntrack", "-F"]);
    expect(await stateOfAll()).toEqual(before);
  });

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("a renumbered guest's older sessions pass home, its newer ones do not, and the redirect goes with the last of the older", async () => {
      const before = await stateOfAll();
      const gateway = ["--renumber", "10.2.0.1", "--detach"];
      const command = ["sojourn", "migrate", "web1", "--to", "host-b", ...gateway];
      expect(await lab.exec("host-a", command)).toMatchObject({ exitCode: 3 });
      const old = await openSession(lab);
      const { report } = await move(lab, "host-a", "host-b", [
        ...["--no-probe", "--renumber", renumbered],
      ]);
      expect(report?.renumbered).toEqual({ from: guest, to: renumbered });
      await using fresh = await openSession(lab, renumbered);
      await using call = NodeProgram.start<CallLine>(lab.name, "client", "echo-caller.ts", [
        `${callPort}`,
      ]);
      await call.line(({ from, echoed }) => from === renumbered && echoed > 0);

      const all = async () => {
        const called = call.lines.at(-1)?.echoed ?? 0;
        await Promise.all([moreEchoes(old, 50), moreEchoes(fresh, 50)]);
        await call.line(({ echoed }) => echoed > called + 50);
      };
      const seen = await seenWhile(all);
      // In the tunnel and out of it again both ways; the new address never comes near home.
      expect(seen["host-a"].old).toMatchObject({ there: true, back: true });
      expect(seen["host-a"].tunnelled).toMatchObject({ there: true, back: true });
      expect(seen["host-a"].fresh).toEqual({ there: false, back: false });
      expect(seen["host-b"].fresh).toEqual({ there: true, back: true });
      expect(seen["host-b"].old).toEqual({ there: false, back: false });

      for (const host of ["host-a", "host-b"]) {
        const paths = await pathsAt(host);
        expect(paths, host).toContainEqual(["192.0.2.2", `${guest}:7`, "redirect"]);
        if (host === "host-b") {
          expect(paths).toContainEqual(["192.0.2.2", `${guest}:7`, "direct"]);
          expect(paths).toContainEqual(["192.0.2.2:7200", guest, "direct"]);
        }
      }

      // Somebody who still asks for the old address is served; daemons come and go meanwhile.
      {
        await using late = await openSession(lab);
        for (const host of ["host-a", "host-b"]) await restart(host);
        await moreEchoes(late, 10);
        expect(await redirectedAt("host-a")).toBe(2);
        expect(await late.finish()).toMatchObject({ broken: null, wrong: null });
      }
      await moreEchoes(old, 10);
      expect(await old.finish()).toMatchObject({ broken: null, wrong: null });
      await expect
        .poll(async () => (await reportOf(report?.id ?? "")).drain, { timeout: 20_000 })
        .toMatchObject({ state: "retired", reason: "last-flow", freed: guest });

      await moreEchoes(fresh, 20);
      const here = await stateOfAll();
      expect(traceOfGuest(here["host-a"])).toEqual([]);
      expect(traceOfTunnel(here["host-b"])).toEqual([]);
      expect(here["host-b"]?.nft).toContain(renumbered);
      const again = await lab.exec("host-a", ["sojourn", "guest", "start", "web1"]);
      expect(again).toMatchObject({ exitCode: 3 });
      expect(again.stderr).toContain("host-b");

      const refused = await lab.migrate("host-b", "web1", "host-a", ["--no-probe"]);
      expect(refused.error).toMatchObject({ code: "SOJ_GUEST_RENUMBERED" });
      expect(await fresh.finish()).toMatchObject({ broken: null, wrong: null });
      expect(await call.finish()).toMatchObject({ broken: null, wrong: null });
      await move(lab, "host-b", "host-a", ["--no-probe", "--release-renumbered"]);
      await using home = await openSession(lab);
      expect(await home.finish()).toMatchObject({ broken: null, wrong: null });
      expect(await stateOfAll()).toEqual(before);
    });
  }

  test("a redirect that stays is retired by hand, once it was said whom that cuts off", async () => {
    await using session = await openSession(lab);
    await move(lab, "host-a", "host-b");
    const asked = await lab.exec("host-a", ["sojourn", "retire", "web1", "--json"]);
    expect(asked.exitCode).toBe(3);
    expect(asked.stdout).toContain("192.0.2.2:");
    await moreEchoes(session, 20);
    const done = JSON.parse(
      await lab.run("host-b", ["sojourn", "retire", "web1", "--yes", "--json"]),
    );
    expect(done).toMatchObject({ type: "retirement", reason: "by-hand", freed: guest });
    const here = await stateOfAll();
    expect(traceOfGuest(here["host-a"])).toEqual([]);
    expect(traceOfTunnel(here["host-b"])).toEqual([]);
    expect(await lab.run("host-b", ["sojourn", "guest", "ls"])).toContain("running");
  });

  async function load(host: string, table: string): Promise<void> {
    await lab.run(host, ["nft", table]);
  }

  /** Of the segments of replayed sessions, those that the firewall has let through. */
  async function accepted(): Promise<number> {
    const listing = await lab.run("host-b", [
      "nft",
      "list",
      "counter",
      "ip",
      "firewall",
      "replayed",
    ]);
    return Number(/packets (\d+)/.exec(listing)?.[1]);
  }

  async function restart(host: string): Promise<void> {
    const { exitCode, stderr } = await lab.cli(["lab", "restart", "--lab", lab.name, host]);
    if (exitCode !== 0) throw new Error(stderr);
  }

  async function reportOf(id: string): Promise<MigrationReport> {
    return JSON.parse(await lab.run("host-a", ["sojourn", "report", id, "--json"]));
  }

  /** Peer, guest's end and path of each flow, without the ports that the kernel chose. */
  async function pathsAt(host: string): Promise<[string, string, string][]> {
    const flows: { peer: string; guest: string; path: string }[] = JSON.parse(
      await lab.run(host, ["sojourn", "flows", "web1", "--json"]),
    );
    return flows.map((flow) => [
      flow.peer.replace(/:\d{5}$/, ""),
      flow.guest.replace(/:\d{5}$/, ""),
      flow.path,
    ]);
  }

  async function redirectedAt(host: string): Promise<number> {
    return (await pathsAt(host)).filter(([, , path]) => path === "redirect").length;
  }

  /** What passes the router's port to each host while `action` runs. */
  async function seenWhile(action: () => Promise<void>) {
    const router = { name: namespaceName(lab.name, "router") };
    const seen: Record<string, string[]> = {};
    const filter = `ip proto 4 or host ${guest} or host ${renumbered}`;
    seen["host-a"] = await packetsWhile(router, "host-a", filter, async () => {
      seen["host-b"] = await packetsWhile(router, "host-b", filter, action);
    });
    const told = (host: string) => {
      const packets = seen[host] ?? [];
      const clear = packets.filter(
        (packet) => !/ IP 172\.16\.\d\.2 > 172\.16\.\d\.2: IP /.test(packet),
      );
      const ways = (address: string) => ({
        there: clear.some((packet) => packet.includes(` > ${address}.`)),
        back: clear.some((packet) => packet.includes(` IP ${address}.`)),
      });
      const inTunnel = (from: string, to: string) =>
        packets.some((packet) => packet.includes(` IP ${from} > ${to}: IP `));
      return {
        old: ways(guest),
        fresh: ways(renumbered),
        tunnelled: {
          there: inTunnel("172.16.1.2", "172.16.2.2"),
          back: inTunnel("172.16.2.2", "172.16.1.2"),
        },
      };
    };
    return { "host-a": told("host-a"), "host-b": told("host-b") };
  }

  async function stateOfAll(): Promise<Record<string, Record<string, string>>> {
    const nodes = ["host-a", "host-b", "router", "client"];
    const states = nodes.map(async (node) => [node, await kernelState(lab, node)] as const);
    return Object.fromEntries(await Promise.all(states));
  }
});

/** What a host has of a guest that is elsewhere for good. */
function traceOfGuest({ nft, filters, ...lists }: Record<string, string> = {}): string[] {
  const lines = Object.values(lists).flatMap((text) => text.split("\n"));
  return [nft, filters, ...lines.filter((line) => line.includes(guest) || / sj|^sj/.test(line))]
    .filter((text) => text !== undefined && text !== "")
    .map(String);
}

/** Links of tunnels, and whatever leads into them. */
function traceOfTunnel({ nft: _translation, ...lists }: Record<string, string> = {}): string[] {
  const lines = Object.values(lists).flatMap((text) => text.split("\n"));
  return lines.filter((line) => /\bsj[tx][0-9a-f]{8}/.test(line));
}

const fill = join(import.meta.dirname, "support/fill-flows.ts");

/** Peers 198.51.100.1 to .200, 100 sessions each, with the guest's echo service. */
const replayed = ["198.51.100", "200", "10000", "100", guest, "7"];

/** Of home: the guest calls as host-a, and host-a's port 8007 is the guest's echo service. */
const translation = `table ip translation {
  chain incoming {
    type nat hook prerouting priority dstnat;
    ip daddr 172.16.1.2 tcp dport 8007 dnat to ${guest}:7
  }
  chain outgoing {
    type nat hook postrouting priority srcnat;
    ip saddr ${guest} oifname "eth0" snat to 172.16.1.2
  }
}`;

/** Lets established sessions through, but keeps what was replayed from the guest, which knows nothing of it. */
const firewall = `table ip firewall {
  counter replayed {}
  chain forward {
    type filter hook forward priority filter; policy drop;
    ip saddr 198.51.100.0/24 ct state established counter name replayed drop
    ct state established,related accept
  }
}`;
