import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { labNodePrefix } from "../../src/lab/index.ts";
import { derivedMac } from "../../src/platform/names.ts";
import { kernelState, TestLab } from "../support/lab.ts";
import type { Namespace } from "../support/namespaces.ts";
import { echoingCaller, type GuestOverlay } from "./support/calling-guest.ts";
import type { CallLine } from "./support/echo-caller.ts";
import { moreEchoes, openSessionFrom } from "./support/echo-session.ts";
import { move } from "./support/moves.ts";
import { createNeighbour } from "./support/neighbour.ts";
import { NodeProgram } from "./support/node-program.ts";

const [guest, gateway, callPort] = ["10.1.0.10", "10.1.0.1", 7200];
const nodes = ["host-a", "host-b", "client", "lan-peer"];
const probes = ["--probe", "packet@lan-peer", "--probe", "tcp-echo@client"];

describe("a guest on a LAN whose gateway is another machine", () => {
  let overlay: GuestOverlay;
  let lab: TestLab;
  /** A neighbour whose ARP entry of the guest never expires. */
  let stubborn: Namespace;

  beforeAll(async () => {
    overlay = echoingCaller(callPort, "10.1.0.50");
    lab = await TestLab.up(`lan${process.pid}`, [
      ...["--hosts", "2", "--topology", "bridged", "--guest-overlay", overlay.folder],
    ]);
    stubborn = await createNeighbour(lab.name, "router", "10.1.0.51", gateway, "lan");
    await stubborn.ip(`neigh replace ${guest} lladdr ${guestMac()} dev eth0 nud permanent`);
  });

  afterAll(async () => {
    await stubborn?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
    overlay[Symbol.dispose]();
  });

  test("keeps its sessions with neighbours and the world, both ways, and leaves nothing behind", async () => {
    const before = await stateOfAll();
    const mac = guestMac();
    await using world = await openSessionFrom(labNodePrefix(lab.name, "client"));
    await using peer = await openSessionFrom(labNodePrefix(lab.name, "lan-peer"));
    const inStubborn = ["/usr/sbin/ip", "netns", "exec", stubborn.name];
    await using unteachable = await openSessionFrom(inStubborn);
    const sessions = [world, peer, unteachable];

    const out = await move(lab, "host-a", "host-b", probes);
    expect(out.report?.probes).toMatchObject({ packet: { lost: 0 }, tcp_echo: { broken: 0 } });
    // The guest takes its gateway for the neighbour that it calls now, and goes on to do so at home.
    await using call = NodeProgram.start<CallLine>(lab.name, "lan-peer", "echo-caller.ts", [
      `${callPort}`,
    ]);
    await call.line(({ from, echoed }) => from === guest && echoed > 20);
    const host = (await lab.run("host-a", ["cat", "/sys/class/net/guests0/address"])).trim();
    for (const node of ["lan-peer", "router"]) await knows(node, host);
    expect(await stubborn.ip(`neigh show ${guest}`)).toContain(mac);
    expect(await lab.run("router", ["bridge", "fdb", "show", "brport", "lan-host-a"])).toContain(
      mac,
    );

    const back = await move(lab, "host-a", "host-a", probes);
    expect(back.report?.probes).toMatchObject({ packet: { lost: 0 }, tcp_echo: { broken: 0 } });
    for (const node of ["lan-peer", "router"]) await knows(node, mac);
    const called = call.lines.at(-1)?.echoed ?? 0;
    await call.line(({ echoed }) => echoed > called + 50);
    expect(await call.finish()).toMatchObject({ broken: null, wrong: null });
    for (const session of sessions) {
      await moreEchoes(session, 50);
      expect(await session.finish()).toMatchObject({ broken: null, wrong: null });
    }
    expect(await stateOfAll()).toEqual(before);
  });

  test("its lab has one topology, and its host's doctor finds the LAN in order", async () => {
    const up = await lab.cli(["lab", "up", "--lab", lab.name, "--topology", "routed"]);
    expect(up).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining("is up and not routed"),
    });
    const { stdout } = await lab.exec("host-a", ["sojourn", "doctor", "--json"]);
    const { checks } = JSON.parse(stdout) as { checks: { id: string; result: string }[] };
    const about = checks.filter(({ id }) => ["bridge", "gateway-answers"].includes(id));
    expect(about.map(({ id, result }) => `${id} ${result}`)).toEqual([
      "bridge ok",
      "gateway-answers ok",
    ]);
  });

  /** The node's ARP entry of the guest has this MAC address, now or soon. */
  async function knows(node: string, mac: string): Promise<void> {
    const entry = () => lab.run(node, ["ip", "neigh", "show", guest]);
    await expect.poll(entry, { timeout: 10_000 }).toContain(` lladdr ${mac} `);
  }

  function guestMac(): string {
    return derivedMac(`lab ${lab.name} guest web1`);
  }

  async function stateOfAll(): Promise<Record<string, unknown>> {
    const states = nodes.map(async (node) => [node, await kernelState(lab, node)] as const);
    return Object.fromEntries(await Promise.all(states));
  }
});
