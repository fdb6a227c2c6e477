import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tunnelName } from "../../src/tunnels/identity.ts";
import type { TunnelInterface } from "../../src/tunnels/tunnel.ts";
import { capture } from "./tunnels-capture.ts";
import {
  createTunnelBed,
  ping,
  runIn,
  snapshot,
  specOf,
  type TunnelBed,
} from "./tunnels-support.ts";

let bed: TunnelBed;

beforeEach(async () => {
  bed = await createTunnelBed();
});

afterEach(() => bed[Symbol.asyncDispose]());

describe.each([
  { kind: "ipip", mtu: 1480 },
  { kind: "vxlan", mtu: 1450 },
] as const)("$kind", ({ kind, mtu }) => {
  test("carries packets up to its MTU and TCP both ways, also segmented on the underlay", async () => {
    const [a, b] = bed.hosts;
    await bed.connect(kind, a, b);
    expect(await a.tunnels.ensure(specOf(kind, a, b))).toMatchObject({ mtu });
    await ping(a, b, 84);
    await ping(a, b, mtu);
    await expect(ping(a, b, mtu + 1)).rejects.toThrow();

    await bed.serve(b, 7000);
    await bed.serve(a, 7000);
    expect(await bed.send(a, b, 7000, 32 << 20)).toBe("same");
    expect(await bed.send(b, a, 7000, 32 << 20)).toBe("same");

    // A device that takes no large packets: the kernel segments behind the tunnel's header.
    await a.run("ip", ["link", "set", "dev", "eth0", "gso_max_size", "1600"]);
    const packets = await capture(bed.wireOfFirst, () => bed.send(a, b, 7000, 1 << 20));
    const outward = packets.filter(({ source }) => source === a.underlayAddress);
    expect(outward.length).toBeGreaterThan(700);
    expect(Math.max(...outward.map(({ totalLength }) => totalLength))).toBe(1500);
    expect(outward.filter(({ checksumRight }) => !checksumRight)).toEqual([]);
  });

  test("takes packets back that came out of it, as when a guest returns home", async () => {
    const [a, b] = bed.hosts;
    await bed.connect(kind, a, b);
    const target = "10.77.0.10/32";
    const through = ({ interfaceName, nextHop }: TunnelInterface) => [
      ...(nextHop === null ? [] : ["via", nextHop, "onlink"]),
      ...["dev", interfaceName],
    ];
    const aToB = await a.tunnels.ensure(specOf(kind, a, b));
    const bToA = await b.tunnels.ensure(specOf(kind, b, a));
    const router = runIn(bed.wireOfFirst.namespace);
    await runIn(a.behind)("ip", ["address", "add", target, "dev", "lo"]);
    await router("ip", ["route", "add", target, "via", a.underlayAddress]);
    await a.run("ip", ["route", "add", target, ...through(aToB)]);
    await b.run("ip", ["route", "add", target, ...through(bToA)]);
    await a.run("ip", ["route", "add", target, "via", a.innerAddress, "table", "100"]);
    await a.run("ip", ["rule", "add", "iif", aToB.interfaceName, "lookup", "100"]);
    // Its own link to the target would fail a strict filter: the way back to it leads through the tunnel.
    await a.run("sysctl", ["-q", "-w", "net.ipv4.conf.all.rp_filter=2"]);
    const size = ["-s", `${mtu - 28}`, "-M", "do"];
    const wait = ["-c", "3", "-i", "0.05", "-W", "1"];
    const { stdout } = await router("ping", [...wait, ...size, "10.77.0.10"]);
    expect(stdout).toContain("3 received");
  });

  test("ensure changes nothing the second time and remove leaves the host as it was", async () => {
    const [a, b] = bed.hosts;
    const spec = specOf(kind, a, b);
    const before = await snapshot(a);
    const planned = await a.tunnels.plan(spec);
    expect(planned.length).toBeGreaterThan(3);
    expect(await snapshot(a)).toEqual(before);

    const described = await a.tunnels.describe(spec);
    expect(await a.tunnels.ensure(spec)).toEqual(described);
    const made = await snapshot(a);
    expect(made).not.toEqual(before);
    expect(await a.tunnels.plan(spec)).toEqual([]);
    expect(await a.tunnels.ensure(spec)).toEqual(described);
    expect(await snapshot(a)).toEqual(made);
    expect(await a.tunnels.list()).toEqual([described.interfaceName]);

    await a.tunnels.removeByName(described.interfaceName);
    expect(await snapshot(a)).toEqual(before);
    await a.tunnels.remove(spec);
    expect(await a.tunnels.list()).toEqual([]);
    expect(await snapshot(a)).toEqual(before);
  });

  test("repairs what was changed: MTU, state, a lost device", async () => {
    const [a, b] = bed.hosts;
    const spec = specOf(kind, a, b);
    await bed.connect(kind, a, b);
    const name = tunnelName(spec);
    await a.run("ip", ["link", "set", "dev", name, "mtu", "1400"]);
    await a.run("ip", ["link", "set", "dev", name, "down"]);
    await bed.connect(kind, a, b);
    await ping(a, b, mtu);
    await a.run("ip", ["link", "del", "dev", name]);
    await bed.connect(kind, a, b);
    await ping(a, b, mtu);
  });

  test("two tunnels at once share the underlay, and removing one leaves the other", async () => {
    const [a, b, c] = bed.hosts;
    const before = await snapshot(a);
    await Promise.all([bed.connect(kind, a, b), bed.connect(kind, a, c)]);
    await ping(a, b, mtu);
    await ping(a, c, mtu);
    await a.tunnels.remove(specOf(kind, a, b));
    await ping(a, c, mtu);
    await a.tunnels.remove(specOf(kind, a, c));
    expect(await snapshot(a)).toEqual(before);
  });

  test("a device that is not ours under the tunnel's name is refused and left alone", async () => {
    const [a, b] = bed.hosts;
    const spec = specOf(kind, a, b);
    const name = tunnelName(spec);
    await a.run("ip", ["link", "add", "name", name, "type", "bridge"]);
    const before = await snapshot(a);
    for (const attempt of [a.tunnels.ensure(spec), a.tunnels.remove(spec)]) {
      await expect(attempt).rejects.toMatchObject({
        code: "SOJ_TUNNEL_FOREIGN",
        message: expect.stringContaining(name),
      });
    }
    expect(await snapshot(a)).toEqual(before);
  });

  test("no route, a route into itself and bad addresses are typed refusals", async () => {
    const [a, b] = bed.hosts;
    const spec = specOf(kind, a, b);
    const refused = async (change: Partial<typeof spec>, code: string) =>
      expect(a.tunnels.ensure({ ...spec, ...change })).rejects.toMatchObject({ code });
    await refused({ localAddress: "203.0.113.9" }, "SOJ_TUNNEL_UNDERLAY");
    await refused({ remoteAddress: "10.1.0.1" }, "SOJ_TUNNEL_UNDERLAY");
    await refused({ remoteAddress: spec.localAddress }, "SOJ_TUNNEL_SPEC");
    await refused({ remoteAddress: "10.1.0.1; reboot" }, "SOJ_BAD_ADDRESS");
    const { interfaceName } = await a.tunnels.ensure(spec);
    await a.run("ip", ["route", "add", "172.16.2.2/32", "dev", interfaceName]);
    await refused({}, "SOJ_TUNNEL_UNDERLAY");
  });
});
