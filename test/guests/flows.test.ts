import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kernelState, TestLab } from "../support/lab.ts";
import { echoingCaller, type GuestOverlay } from "./support/calling-guest.ts";
import type { CallLine } from "./support/echo-caller.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";
import type { ManySessionsLine } from "./support/many-sessions.ts";
import { move } from "./support/moves.ts";
import { NodeProgram } from "./support/node-program.ts";

const guest = "10.1.0.10";
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
    expect(await stateOfAll()).toEqual(before);
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

  async function stateOfAll(): Promise<Record<string, Record<string, string>>> {
    const nodes = ["host-a", "host-b", "router", "client"];
    const states = nodes.map(async (node) => [node, await kernelState(lab, node)] as const);
    return Object.fromEntries(await Promise.all(states));
  }
});

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
