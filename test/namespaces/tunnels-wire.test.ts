import { afterEach, beforeEach, expect, test } from "vitest";
import { capture, innerPacket } from "./tunnels-capture.ts";
import { createTunnelBed, ping, type TunnelBed } from "./tunnels-support.ts";

let bed: TunnelBed;

beforeEach(async () => {
  bed = await createTunnelBed();
  await bed.connect("ipip", bed.hosts[0], bed.hosts[1]);
});

afterEach(() => bed[Symbol.asyncDispose]());

const congestionExperienced = ["ip", "protocol", "4", "ip", "ecn", "set", "ce"];

test("the wire has protocol 4 with right headers and no inner packet in clear", async () => {
  const [a, b] = bed.hosts;
  const packets = await capture(bed.wireOfFirst, () => ping(a, b, 500, "-Q", "0x10"));
  expect(packets.map(({ protocol }) => protocol)).toEqual([4, 4, 4, 4, 4, 4]);
  const pairs = new Set(packets.map(({ source, destination }) => `${source} ${destination}`));
  expect([...pairs].sort()).toEqual(["172.16.1.2 172.16.2.2", "172.16.2.2 172.16.1.2"]);
  for (const packet of packets) {
    // TTL 64 at the sender; the router has taken one off what comes from the other side.
    const ttl = packet.source === a.underlayAddress ? 64 : 63;
    const outer = { ttl, tos: 0x10, dontFragment: true, totalLength: 520, checksumRight: true };
    expect(packet).toMatchObject(outer);
    const inner = innerPacket(packet);
    expect(inner).toMatchObject({ protocol: 1, tos: 0x10, totalLength: 500, checksumRight: true });
    expect([inner.source, inner.destination].sort()).toEqual(["10.1.0.10", "10.2.0.10"]);
  }
});

test("congestion marked on the outer header reaches a capable inner packet (RFC 6040)", async () => {
  const [a, b] = bed.hosts;
  await bed.arrivalRule("iifname", "eth1", ...congestionExperienced);
  const behind = { namespace: b.behind, device: "eth0", neighbour: "10.2.0.1" };
  const packets = await capture(behind, () => ping(a, b, 84, "-Q", "0x2"));
  const arrived = packets.filter(({ source }) => source === a.innerAddress);
  expect(arrived.map(({ tos, checksumRight }) => [tos, checksumRight])).toEqual(
    Array(3).fill([3, true]),
  );
});

test("congestion marked on a packet that cannot carry the mark drops it (RFC 6040)", async () => {
  const [a, b] = bed.hosts;
  await bed.arrivalRule("iifname", "eth1", ...congestionExperienced);
  await expect(ping(a, b, 84)).rejects.toThrow();
});

test("fragments of the outer packet go to the host's own stack, whole", async () => {
  const [a, b] = bed.hosts;
  await bed.arrivalRule("ip", "protocol", "4", "ip", "frag-off", "set", "0");
  await bed.setRouterMtu("eth2", 1000);
  await ping(a, b, 500);
  expect(await b.reassembled()).toBe(0);
  await expect(ping(a, b, 1400)).rejects.toThrow();
  expect(await b.reassembled()).toBe(3);
});

test("a packet with the right protocol from somebody else is left to the stack", async () => {
  const [a, b, c] = bed.hosts;
  await bed.connect("ipip", c, b);
  await ping(c, b, 84);
  await b.tunnels.remove({ kind: "ipip", localAddress: "172.16.2.2", remoteAddress: "172.16.3.2" });
  await expect(ping(c, b, 84)).rejects.toThrow();
  await ping(a, b, 84);
});
