import fc from "fast-check";
import type { DesiredState } from "../../../src/routing/desired.ts";
import type { KernelState } from "../../../src/routing/kernel-state.ts";

const bridges = ["sjb000000001", "sjb000000002"];
const taps = ["sjp000000001", "sjp000000002", "sjp000000003"];
const devices = ["tun0", "tun1"];
const addresses = ["10.1.0.10", "10.1.0.11", "10.2.0.10"];
const macs = ["52:54:00:00:00:0a", "52:54:00:00:00:0b"];
const tables = [254, 18300, 18310, 18311];

/** Few names and addresses, so that two states often share objects; keys are unique as in a kernel. */
const anyParts: fc.Arbitrary<DesiredState> = fc.record({
  bridges: fc.subarray(bridges).map((names) => names.map((name) => ({ name, mac: null }))),
  taps: fc.uniqueArray(
    fc.record({
      name: fc.constantFrom(...taps),
      bridge: fc.constant("guests0"),
      txQueueLength: fc.constantFrom(500, 5000),
    }),
    { selector: ({ name }) => name },
  ),
  routes: fc.uniqueArray(
    fc.oneof(
      fc.record({
        table: fc.constantFrom(...tables),
        prefix: fc.constantFrom(...addresses, "10.0.0.0/8", "default"),
        type: fc.constant("unicast" as const),
        device: fc.constantFrom(...devices),
        via: fc.constantFrom(null, "192.168.0.1"),
        mtu: fc.constantFrom(null, 1480),
      }),
      fc.record({
        table: fc.constantFrom(...tables),
        prefix: fc.constantFrom("10.5.0.0/16", "10.0.0.0/8"),
        type: fc.constantFrom("throw" as const, "unreachable" as const),
        device: fc.constant(null),
        via: fc.constant(null),
        mtu: fc.constant(null),
      }),
    ),
    { selector: ({ table, prefix }) => `${table} ${prefix}` },
  ),
  rules: fc.uniqueArray(
    fc.record(
      {
        priority: fc.constantFrom(18310, 18320),
        table: fc.constantFrom(...tables),
        iif: fc.constantFrom(null, ...bridges),
        from: fc.constantFrom(null, ...addresses),
        to: fc.constantFrom(null, "10.0.0.0/8"),
        mark: fc.constantFrom({ value: 0, mask: 8 }, { value: 8, mask: 8 }),
        hostRoutesOnly: fc.constant(true as const),
      },
      { requiredKeys: ["priority", "table", "iif", "from", "to"] },
    ),
    { selector: ({ table: _table, ...key }) => JSON.stringify(key) },
  ),
  neighbours: fc.uniqueArray(
    fc.oneof(
      fc.record({
        kind: fc.constant("permanent" as const),
        device: fc.constantFrom(...devices),
        address: fc.constantFrom(...addresses),
        mac: fc.constantFrom(...macs),
      }),
      fc.record({
        kind: fc.constant("proxy" as const),
        device: fc.constantFrom(...devices),
        address: fc.constantFrom(...addresses),
      }),
    ),
    { selector: ({ kind, device, address }) => `${kind} ${device} ${address}` },
  ),
  fdb: fc.uniqueArray(
    fc.record({ device: fc.constantFrom(...taps), mac: fc.constantFrom(...macs) }),
    { selector: ({ mac }) => mac, maxLength: 2 },
  ),
  sysctls: fc.uniqueArray(
    fc.record({
      path: fc.constantFrom("net/ipv4/conf/tun0/rp_filter", "net.ipv4.conf.tun1.rp_filter"),
      value: fc.constantFrom("0", "1", "2"),
    }),
    { selector: ({ path }) => path },
  ),
  filter: fc.record({
    tunnelGuests: fc.subarray([
      { device: "tun0", from: ["10.1.0.10", "10.1.0.11"], to: ["10.1.0.10"] },
      { device: "tun1", from: [], to: ["10.2.0.10"] },
    ]),
    tunnelEnds: fc.subarray([
      {
        ...{ kind: "ipip" as const, local: "172.16.1.2", remote: "172.16.2.2" },
        ...{ vni: null, mac: null, takenBelow: true },
      },
      {
        ...{ kind: "vxlan" as const, local: "172.16.1.2", remote: "172.16.3.2" },
        ...{ vni: 77, mac: "02:00:00:00:00:4d", takenBelow: false },
      },
    ]),
    guestFrames: fc.subarray([
      { bridge: "guests0", mac: "52:54:00:00:00:0a" },
      { bridge: "guests0", mac: "52:54:00:00:00:0b", ipv4Only: true as const },
    ]),
    gatewayFrames: fc.subarray([{ tap: "sjp000000001", bridge: "guests0" }]),
    copies: fc.subarray([{ address: "10.1.0.10", device: "tun0", gateway: "10.1.0.10" }]),
    tracking: fc.boolean(),
    renumbered: fc.subarray([
      {
        ...{
          guest: "10.1.0.10",
          address: "10.2.0.50",
          bridge: "sjb000000001",
          tap: "sjp000000001",
        },
        ...{ tunnels: ["tun0"], retired: false },
      },
    ]),
    sizeLimits: fc.subarray([
      {
        ...{ address: "10.1.0.10", device: "tun0", mtu: 1480 },
        ...{ direction: "to" as const, elsewhere: [], adviseOnly: false, redirectedOnly: true },
      },
      {
        ...{ address: "10.1.0.11", device: "tun1", mtu: 1450 },
        ...{
          direction: "from" as const,
          elsewhere: ["10.2.0.0/24"],
          adviseOnly: true,
          redirectedOnly: false,
        },
      },
    ]),
  }),
});

export const anyDesired = anyParts.map((parts) => ({
  ...parts,
  fdb: parts.fdb.filter(({ device }) => parts.taps.some(({ name }) => name === device)),
}));

/** Objects of others that are in nobody's way: other keys, or other marks. */
export const anyForeign: fc.Arbitrary<Partial<KernelState>> = fc.record({
  routes: fc.uniqueArray(
    fc.record({
      table: fc.constantFrom(...tables, 77),
      prefix: fc.constantFrom(...addresses.map((address) => `${address}/32`), "default"),
      type: fc.constant("unicast" as const),
      device: fc.constantFrom("tun0", "eth0"),
      via: fc.constant(null),
      mtu: fc.constant(null),
      protocol: fc.constantFrom(2, 3, 4, 184),
      metric: fc.constantFrom(100, 1024),
      unusual: fc.boolean(),
    }),
    { selector: ({ table, prefix, metric }) => `${table} ${prefix} ${metric}` },
  ),
  rules: fc.array(
    fc.record({
      priority: fc.constantFrom(100, 18300, 32766),
      table: fc.constantFrom(...tables),
      iif: fc.constant(null),
      from: fc.constantFrom(null, "10.1.0.10/32"),
      to: fc.constant(null),
      protocol: fc.constantFrom(0, 2, 184),
      unusual: fc.boolean(),
    }),
  ),
  neighbours: fc.array(
    fc.record({
      device: fc.constantFrom("eth0", "sjv000000001"),
      address: fc.constantFrom(...addresses),
      mac: fc.constantFrom(...macs),
      proxy: fc.boolean(),
      permanent: fc.boolean(),
      protocol: fc.constantFrom(0, 3, 184),
    }),
  ),
});
