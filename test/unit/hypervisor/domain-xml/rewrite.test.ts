import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type DomainFacts,
  readDomain,
} from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import { rewriteDomain } from "../../../../src/hypervisor/libvirt/domain-xml/rewrite.ts";
import { fixture, origins, smallDomain } from "./fixtures.ts";

const refused = expect.objectContaining({ code: "SOJ_LIBVIRT_REWRITE" });
const labMac = "52:54:00:77:7b:59";

test("the lab's NIC on another tap, and not a character more", () => {
  const text = fixture("lab-migratable");
  const nics = [{ mac: labMac.toUpperCase(), tapName: "sjp123" }];
  expect(rewriteDomain(text, { nics })).toBe(text.replace("lv-web1", "sjp123"));
});

test("nothing to change: the same text", () => {
  for (const text of origins.map(fixture)) expect(rewriteDomain(text, {})).toBe(text);
});

test("a NIC on a bridge, and one without a name, go onto a tap that is there", () => {
  const bridged = rewriteDomain(fixture("virt-install"), {
    nics: [{ mac: "52:54:00:6c:3a:01", tapName: "sjp1" }],
  });
  expect(bridged).toContain(`    <interface type='ethernet'>
      <mac address='52:54:00:6C:3A:01'/>
      <target dev='sjp1' managed='no'/>
      <model type='virtio'/>
      <address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
    </interface>`);
  const byHand = rewriteDomain(fixture("by-hand"), {
    nics: [{ mac: "52:54:00:00:0a:0b", tapName: "sjp1" }],
  });
  expect(byHand).toContain(`<interface type="ethernet">
            <mac address = "52:54:00:00:0a:0b" />
            <target dev='sjp1' managed='no'/>
            <model type="virtio"/>
        </interface>`);
  const nova = rewriteDomain(fixture("nova"), {
    nics: [{ mac: "fa:16:3e:12:34:56", tapName: "sjp1" }],
  });
  expect(nova).toContain(`    <interface type='ethernet'>
      <mac address='fa:16:3e:12:34:56'/>
      <target dev='sjp1' managed='no'/>
      <model type='virtio'/>
      <driver name='vhost' rx_queue_size='512'/>
      <mtu size='1442'/>
    </interface>`);
});

test("a path changes wherever it stands, and its new name cannot become XML", () => {
  const text = fixture("virt-manager-running");
  const changed = rewriteDomain(text, {
    paths: new Map([
      ["/var/log/desk-serial.log", `/var/log/"a' & <b>.log`],
      ["/home/me/ISO & more/debian.iso", "/iso/debian.iso"],
    ]),
  });
  expect(changed).toBe(
    text
      .replaceAll("/var/log/desk-serial.log", "/var/log/&quot;a&apos; &amp; &lt;b&gt;.log")
      .replace("/home/me/ISO &amp; more/debian.iso", "/iso/debian.iso"),
  );
  const kernel = rewriteDomain(fixture("by-hand"), {
    paths: new Map([
      ["/boot/a&b/vmlinuz", "/k"],
      ["/boot/a&b/initrd", "/i"],
    ]),
  });
  expect(kernel).toContain("<kernel>/k</kernel>\n        <initrd>/i</initrd>");
});

test.each([
  ["a NIC that is not there", { nics: [{ mac: "52:54:00:00:00:01", tapName: "t" }] }],
  ["a NIC without tap", { nics: [{ mac: "52:54:00:00:0a:0c", tapName: "t" }] }],
  ["a macvtap", { nics: [{ mac: "52:54:00:00:0a:0d", tapName: "t" }] }],
  ["no name of a tap", { nics: [{ mac: "52:54:00:00:0a:0b", tapName: "a'/><x" }] }],
  ["too long a name", { nics: [{ mac: "52:54:00:00:0a:0b", tapName: "x".repeat(16) }] }],
  [
    "a NIC twice",
    {
      nics: [
        { mac: "52:54:00:00:0a:0b", tapName: "a" },
        { mac: "52:54:00:00:0A:0B", tapName: "b" },
      ],
    },
  ],
  ["a path that is not there", { paths: new Map([["/none", "/x"]]) }],
  ["a path that is none", { paths: new Map([["/home", "home"]]) }],
  ["a control character", { paths: new Map([["/home", "/a\nb"]]) }],
  ["half a character", { paths: new Map([["/home", "/\ud800"]]) }],
])("refused: %s", (_, changes) => {
  expect(() => rewriteDomain(fixture("by-hand"), changes)).toThrow(refused);
});

test("two NICs of one MAC address are refused", () => {
  const nic = `<interface type='bridge'><mac address='${labMac}'/></interface>`;
  const nics = [{ mac: labMac, tapName: "t" }];
  expect(() => rewriteDomain(smallDomain(nic + nic), { nics })).toThrow(refused);
});

test("what comes out is the same domain but for what was changed", () => {
  const texts = [...origins.map(fixture), smallDomain(nicsOfEveryKind())];
  const path = fc
    .string({ unit: "grapheme", maxLength: 30 })
    .map((text) => `/${text.replace(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, "")}`);
  const tap = fc.stringMatching(/^[a-z0-9][a-zA-Z0-9._-]{0,14}$/);
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(path, { minLength: 12, maxLength: 12 }),
      fc.uniqueArray(tap, { minLength: 4, maxLength: 4 }),
      fc.nat(),
      (text, newPaths, taps, choice) => {
        const before = readDomain(text);
        const nics = before.nics
          .filter(({ type }) => ["ethernet", "bridge", "network"].includes(type))
          .filter((_, index) => (choice >> index) % 2 === 0)
          .map(({ mac }, index) => ({ mac, tapName: taps[index] ?? "t" }));
        const named = [...new Set(before.hostPaths.map(({ path }) => path))];
        const paths = new Map(
          named
            .map((from, index) => [from, newPaths[index] ?? "/x"] as const)
            .filter((_, index) => (choice >> (4 + index)) % 2 === 0),
        );
        const after = readDomain(rewriteDomain(text, { nics, paths }));
        expect(after).toEqual(expected(before, nics, paths));
      },
    ),
    { numRuns: 300 },
  );
});

/** The facts after a change, made from those before without any XML. */
function expected(
  before: DomainFacts,
  nics: readonly { mac: string; tapName: string }[],
  paths: ReadonlyMap<string, string>,
): DomainFacts {
  const scripts = before.nics.flatMap(({ mac, script }) =>
    script !== null && nics.some((nic) => nic.mac === mac) ? [script, `${script}-down`] : [],
  );
  const kept = before.hostPaths.filter(({ path }) => !scripts.includes(path));
  const moved = before.nics.map((nic) => {
    const tapName = nics.find(({ mac }) => mac === nic.mac)?.tapName;
    return tapName === undefined
      ? nic
      : {
          ...{ ...nic, type: "ethernet", device: tapName, isManaged: false, script: null },
          ...{ bridge: null, network: null, hostDevice: null, virtualPort: null },
          ...{ hasVlan: false, isIsolated: false },
        };
  });
  // A path is told from other words by where it stands, so those that are no paths are put back.
  const { name, architecture, machine } = before;
  const changed = withPaths({ ...before, nics: moved, hostPaths: kept }, paths) as DomainFacts;
  const cmdline = before.boot.cmdline;
  return { ...changed, name, architecture, machine, boot: { ...changed.boot, cmdline } };
}

function withPaths(value: unknown, paths: ReadonlyMap<string, string>): unknown {
  if (typeof value === "string") return paths.get(value) ?? value;
  if (Array.isArray(value)) return value.map((each) => withPaths(each, paths));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, withPaths(each, paths)]),
  );
}

function nicsOfEveryKind(): string {
  return `
    <interface type='network'><mac address='52:54:00:00:00:01'/><source network='n' portgroup='p'/>
      <vlan><tag id='4'/></vlan><port isolated='yes'/><target dev='vnet1'/></interface>
    <interface type='bridge'><source bridge='b'/><virtualport type='openvswitch'/><mac address='52:54:00:00:00:02'></mac>
    </interface>
    <interface type='ethernet'><target/><mac address='52:54:00:00:00:03'/><script path='/up'/><downscript path='/up-down'/></interface>
    <interface type='ethernet'><target managed='yes' dev=''></target><mac address='52:54:00:00:00:04'/></interface>`;
}
