import { describe, expect, it } from "vitest";
import { tunnelSummaries } from "../../../../src/daemon/inventory/tunnels.ts";
import { tunnelUses } from "../../../../src/migrator/tunnel-use.ts";
import { tunnelName } from "../../../../src/tunnels/identity.ts";
import { type ObservedTunnel, observeTunnels } from "../../../../src/tunnels/observe.ts";
import type { Run } from "../../../../src/tunnels/steps.ts";
import { aToB, recordOf, tunnelOf } from "../../migrator/support.ts";

const redirected = {
  ...recordOf("web1", 10),
  redirect: { host: "host-b", tunnel: aToB },
};
const leaving = {
  ...recordOf("web2", 11),
  outgoing: { tunnel: aToB, switched: false },
  migration: { id: "m1", epoch: 1, role: "source" as const, peer: "host-b", resume: true },
};

describe("the tunnels", () => {
  const observed: ObservedTunnel = {
    ...{ interfaceName: tunnelOf(aToB).interfaceName, datapath: "kernel", isUp: true, mtu: 1480 },
    ...{ ends: { ...aToB }, sent: { packets: 1, bytes: 2 }, received: { packets: 3, bytes: 4 } },
  };

  it("are those that guests need, each once, with the host at the other end", () => {
    expect(tunnelUses([redirected, leaving])).toEqual([
      { spec: aToB, remoteHost: "host-b", guests: ["web1", "web2"] },
    ]);
  });

  it("are told beside what the kernel has", () => {
    const [told] = tunnelSummaries(tunnelUses([redirected]), tunnelOf, [observed]);
    expect(told).toMatchObject({
      ...{ interface: "tun-2", kind: "ipip", remote_host: "host-b", guests: ["web1"], mtu: 1480 },
      ...{ wanted: true, state: "ok", sent: { packets: 1, bytes: 2 } },
    });
  });

  it("that are missing, down, of a wrong size, or too many say so", () => {
    const stateWith = (found: ObservedTunnel[]) =>
      tunnelSummaries(tunnelUses([redirected]), tunnelOf, found).map(({ state }) => state);
    expect(stateWith([])).toEqual(["missing"]);
    expect(stateWith([{ ...observed, isUp: false }])).toEqual(["down"]);
    expect(stateWith([{ ...observed, mtu: 1400 }])).toEqual(["wrong-mtu"]);
    expect(tunnelSummaries([], tunnelOf, [observed])).toMatchObject([
      { state: "unwanted", wanted: false, remote_address: "172.16.2.2", guests: [] },
    ]);
    const notMade = tunnelSummaries(tunnelUses([redirected]), () => null, []);
    expect(notMade).toMatchObject([{ state: "missing", interface: tunnelName(aToB), mtu: null }]);
  });

  it("of the kernel are read from ip and tc, and nobody else's", async () => {
    const name = tunnelName(aToB);
    const stats64 = { rx: { packets: 5, bytes: 50 }, tx: { packets: 6, bytes: 60 } };
    const link = {
      ...{ ifname: name, flags: ["UP"], mtu: 1480, group: "183", stats64 },
      ifalias: "sojourn:ipip:172.16.1.2:172.16.2.2:eth0:2",
    };
    const kernel = { ...link, linkinfo: { info_kind: "ipip" } };
    const veth = { ...link, linkinfo: { info_kind: "veth" } };
    const theirs = { ...kernel, group: "default" };
    const hook = { kind: "clsact", dev: name, packets: 7, bytes: 70 };
    expect(await observeTunnels(printing([theirs, {}], []))).toEqual([]);
    expect(await observeTunnels(printing([kernel], []))).toMatchObject([
      { datapath: "kernel", sent: { packets: 6, bytes: 60 }, received: { packets: 5, bytes: 50 } },
    ]);
    expect(await observeTunnels(printing([veth], [hook]))).toEqual([
      {
        ...{ interfaceName: name, datapath: "bpf", isUp: true, mtu: 1480, ends: { ...aToB } },
        ...{ sent: { packets: 7, bytes: 70 }, received: null },
      },
    ]);
    const broken = observeTunnels(printing([{ surprise: 1 }], []));
    await expect(broken).rejects.toMatchObject({ code: "SOJ_TUNNEL_FAILED" });
  });
});

function printing(links: object[], qdiscs: object[]): Run {
  return async (program) => {
    const stdout = JSON.stringify(program === "ip" ? links : qdiscs);
    return { exitCode: 0, stdout, stderr: "" };
  };
}
