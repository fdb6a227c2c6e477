import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { bridge, KeptBed, repaired, tap, tunnel } from "./keeper-bed.ts";

/** What somebody else may do to a host's network, kind by kind. */
let bed: KeptBed;

beforeAll(async () => {
  bed = await KeptBed.up(1_000);
});

afterAll(() => bed?.[Symbol.asyncDispose]());

afterEach(() => bed.expectAsWanted());

const changes: [string, string][] = [
  ["a ruleset that is flushed", "nft flush ruleset"],
  ["a rule that is put into our table", "nft add rule ip sojourn from_tunnels counter accept"],
  ["a rule that is deleted", "ip rule del pref 18320"],
  ["a rule of ours too many", "ip rule add pref 18320 from 10.9.9.9 lookup 18310 protocol 183"],
  ["a guest's route that is deleted", "ip route del 10.1.0.10/32"],
  ["a guest's route that leads elsewhere", `ip route replace 10.1.0.10/32 dev ${bridge} proto 183`],
  ["a rule for a guest's new address that is deleted", "ip rule del pref 18315"],
  ["a rule for flows that do not pass home that is deleted", "ip rule del pref 18316"],
  ["the route of a guest's new address that is deleted", "ip route del 10.1.0.50/32"],
  ["translation of addresses that is deleted", "nft flush chain ip sojourn from_new_address"],
  ["source routes that are flushed", "ip route flush table 18310"],
  ["a tunnel that is deleted", `ip link del ${tunnel}`],
  ["a tunnel that is down", `ip link set ${tunnel} down`],
  ["a tunnel's filter that is deleted", `tc filter del dev ${tunnel} egress`],
  ["the underlay's clsact qdisc that is deleted", "tc qdisc del dev up0 clsact"],
  ["a tunnel's address that is deleted", `ip address flush dev ${tunnel}`],
  ["a guest's bridge that is deleted", `ip link del ${bridge}`],
  ["a guest's bridge with another address", `ip link set ${bridge} address 52:54:00:aa:aa:aa`],
  ["a guest's bridge without its dummy address", `ip address flush dev ${bridge}`],
  ["a guest's tap that leaves its bridge", `ip link set ${tap} nomaster`],
  ["a guest's neighbour entry that is deleted", `ip neigh del 10.2.0.20 dev ${bridge}`],
  ["a guest's bridge entry that is deleted", `bridge fdb del 52:54:00:00:00:14 dev ${tap} master`],
  ["proxy ARP that is switched off", `sysctl -qw net.ipv4.conf.${bridge}.proxy_arp=0`],
  ["a reverse-path filter that is strict", `sysctl -qw net.ipv4.conf.${tunnel}.rp_filter=1`],
];

test.each(changes)("%s is repaired", async (_what, line) => {
  const before = bed.kept.log.length;
  await bed.run(line);
  await expect.poll(() => bed.said(before), { timeout: 5_000, interval: 20 }).toEqual([repaired]);
});
