import { expect, test } from "vitest";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import { domainXml } from "../../../../src/lab/libvirt/domain-xml.ts";
import { fixture, smallDomain } from "./fixtures.ts";

test("a domain of virt-install's", () => {
  const facts = readDomain(fixture("virt-install"));
  expect(facts).toMatchObject({
    name: "shop-db",
    uuid: "6b6f7f0a-4a55-4a2c-9d6e-1f0a5e7b9c01",
    virtualization: "kvm",
    architecture: "x86_64",
    machine: "pc-q35-9.2",
    memory: { bytes: 4 * 1024 ** 3, usesHugePages: false },
    processor: { vcpus: 4, currentVcpus: 4, mode: "host-passthrough", isMigratable: true },
    boot: {
      kernel: null,
      loader: "/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
      nvram: { path: "/var/lib/libvirt/qemu/nvram/shop-db_VARS.fd", type: "file" },
    },
    tpms: [{ backend: "emulator", path: null, isPersistent: false }],
    graphics: [{ type: "vnc", address: "127.0.0.1", ports: [], hasGl: false }],
  });
  expect(facts.nics).toMatchObject([
    { type: "bridge", mac: "52:54:00:6c:3a:01", device: "vnet4", bridge: "br0", isManaged: true },
  ]);
  const [disk, drive] = facts.disks;
  expect(disk).toMatchObject({
    ...{ target: "vda", type: "file", path: "/srv/images/shop-db.qcow2", format: "qcow2" },
    ...{ cache: null, isReadOnly: false, isBackingComplete: true },
    backing: [{ type: "file", path: "/srv/images/debian-12.qcow2", format: "qcow2" }],
  });
  expect(drive).toMatchObject({ target: "sda", type: "none", isReadOnly: true });
});

test("every path of the host is found, with what it is for", () => {
  expect(readDomain(fixture("virt-install")).hostPaths).toEqual([
    { path: "/usr/share/OVMF/OVMF_CODE_4M.ms.fd", use: "loader", need: "there" },
    { path: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd", use: "nvram-template", need: "there" },
    { path: "/var/lib/libvirt/qemu/nvram/shop-db_VARS.fd", use: "nvram", need: "folder" },
    { path: "/usr/bin/qemu-system-x86_64", use: "emulator", need: "there" },
    { path: "/srv/images/shop-db.qcow2", use: "disk", need: "there" },
    { path: "/srv/images/debian-12.qcow2", use: "disk", need: "there" },
    { path: "/dev/urandom", use: "random", need: "there" },
  ]);
  const running = readDomain(fixture("virt-manager-running")).hostPaths;
  expect(running.filter(({ use }) => use === "character-device")).toEqual([
    { path: "/var/log/desk-serial.log", use: "character-device", need: "folder" },
    { path: "/var/log/desk-serial.log", use: "character-device", need: "folder" },
    {
      path: "/run/libvirt/qemu/channel/7-desk/org.qemu.guest_agent.0",
      ...{ use: "character-device", need: "folder" },
    },
  ]);
  const byHand = readDomain(fixture("by-hand")).hostPaths.map(({ path, use }) => `${use} ${path}`);
  expect(byHand).toEqual([
    ...["kernel /boot/a&b/vmlinuz", "initrd /boot/a&b/initrd", "disk /srv/bau's.img"],
    ...["nic /etc/qemu-ifup", "filesystem /usr/libexec/virtiofsd", "filesystem /srv/share"],
    ...["filesystem /home", "character-device /dev/ttyS1", "input /dev/input/event3"],
    ...["tpm /dev/tpm0", "graphics /dev/dri/renderD128"],
  ]);
});

test("a domain as it runs", () => {
  const facts = readDomain(fixture("virt-manager-running"));
  expect(facts.processor).toMatchObject({ vcpus: 4, currentVcpus: 2, mode: "custom" });
  expect(facts.memory).toMatchObject({ bytes: 2 * 1024 ** 3, currentBytes: 1024 ** 3 });
  expect(facts.nics).toMatchObject([
    {
      ...{ type: "network", network: "default", bridge: "virbr0", device: "vnet6" },
      filter: "clean-traffic",
    },
  ]);
  expect(facts.disks).toMatchObject([
    { type: "block", path: "/dev/vg0/desk", cache: "none", backing: [], isBackingComplete: true },
    { type: "file", path: "/home/me/ISO & more/debian.iso", isBackingComplete: false },
  ]);
  expect(facts.characterDevices.map(({ kind, type, target }) => [kind, type, target])).toEqual([
    ["serial", "file", "0"],
    ["console", "file", "0"],
    ["channel", "unix", "org.qemu.guest_agent.0"],
    ["channel", "spicevmc", "com.redhat.spice.0"],
    ["redirdev", "spicevmc", null],
  ]);
  expect(facts.graphics).toMatchObject([{ address: "192.0.2.10", ports: [5901, 5902] }]);
  expect(facts.placement.staticLabels).toEqual([]);
});

test("a domain of Nova's: what is in its metadata is not the domain's", () => {
  const facts = readDomain(fixture("nova"));
  expect(facts).toMatchObject({ name: "instance-0000001f", memory: { bytes: 8 * 1024 ** 3 } });
  expect(facts.memory).toMatchObject({ usesHugePages: true, hostNodes: "0" });
  expect(facts.processor.hostCpus).toEqual(["4", "5", "4-5"]);
  expect(facts.disks[0]).toMatchObject({
    ...{ type: "network", protocol: "rbd", name: "volumes/volume-1", path: null },
    servers: ["198.51.100.11:6789", "198.51.100.12:6789"],
  });
  expect(facts.placement.secrets).toEqual([
    { uuid: "457eb676-33da-42ec-9a8c-9293d545c337", usage: null },
  ]);
  expect(facts.nics).toMatchObject([{ virtualPort: "openvswitch", device: "tap5a0f9a1e-6a" }]);
  const log = facts.hostPaths.find(({ use }) => use === "log");
  expect(log).toMatchObject({ path: "/var/lib/nova/instances/2f0c3f36/console.log" });
});

test("a domain written by hand: references, CDATA, comments, either quote, prefixes", () => {
  const facts = readDomain(fixture("by-hand"));
  expect(facts).toMatchObject({
    name: "bau maschine ü",
    uuid: "aabbccdd-0102-4304-8506-07080910a1b2",
    memory: { bytes: 1_000_000_000 },
    boot: {
      ...{ kernel: "/boot/a&b/vmlinuz", initrd: "/boot/a&b/initrd" },
      cmdline: 'root=/dev/vda1 quote="a > b"',
    },
    disks: [{ path: "/srv/bau's.img", isShareable: true, isTransient: true }, {}, {}],
    hostDevices: [
      { type: "pci", address: "0000:3b:00.1" },
      { type: "usb", address: "046d:c52b" },
    ],
    filesystems: [
      { driver: "virtiofs", source: "/srv/share", target: "share" },
      { driver: "path", source: "/home", target: "home" },
    ],
    placement: { qemuArguments: ["-fw_cfg", "name=opt/x,file=/srv/x"] },
  });
});

test("the lab's domain, as it is defined and as it migrates", () => {
  const lab = { kernel: "/opt/lab/vmlinuz", initrd: "/opt/lab/initramfs.cpio.gz" };
  const migratable = readDomain(fixture("lab-migratable"));
  expect(migratable).toMatchObject({
    ...{ name: "web1", virtualization: "qemu", machine: "pc-i440fx-10.0" },
    boot: { ...lab, cmdline: "console=ttyS0 panic=-1 sojourn.hostname=web1" },
    memory: { bytes: 128 * 1024 ** 2 },
    processor: { mode: "custom", model: "qemu64" },
    nics: [{ type: "ethernet", device: "lv-web1", isManaged: false, model: "virtio" }],
    disks: [],
  });
  const append = `a="<x>" & 'b'`;
  const text = domainXml({
    ...{ ...lab, append, name: "web1", memoryMib: 128, mac: "52:54:00:77:7b:59" },
    tapName: "lv-web1",
  });
  const uuid = "<uuid>da275636-58e7-4170-8c1e-f6681149fadf</uuid>";
  const defined = readDomain(text.replace("</name>", `</name>${uuid}`));
  expect(defined).toMatchObject({ boot: { ...lab, cmdline: append }, nics: migratable.nics });
});

test.each([
  ["64", "", 65_536],
  ["64", " unit='b'", 64],
  ["64", " unit='KB'", 64_000],
  ["64", " unit='k'", 65_536],
  ["3", " unit='GiB'", 3 * 1024 ** 3],
  ["1", " unit='tb'", 1e12],
])("%s%s of memory are %d bytes", (amount, unit, bytes) => {
  const xml = smallDomain().replace("<memory>65536<", `<memory${unit}>${amount}<`);
  expect(readDomain(xml).memory.bytes).toBe(bytes);
});

test.each([
  ["no number", "<memory>65536", "<memory>64k"],
  ["less than nothing", "<memory>65536", "<memory>-1"],
  ["an unknown unit", "<memory>", "<memory unit='pages'>"],
  ["too much", "<memory>", "<memory unit='EiB'>"],
  ["no memory", "<memory>65536</memory>", ""],
  ["no name", "<name>g</name>", ""],
  ["an empty name", "<name>g</name>", "<name/>"],
  ["no UUID", "0a0b0c0d-1111-4222-8333-444455556666", "web1"],
  ["no type", " type='kvm'", ""],
  ["devices behind the devices", "</devices>", "</devices><devices><hostdev/></devices>"],
  ["a second name", "<name>g</name>", "<name>g</name><name>h</name>"],
  ["processors that are no number", "<devices>", "<vcpu>two</vcpu><devices>"],
])("refused: %s", (_, from, to) => {
  const xml = smallDomain();
  expect(xml).toContain(from);
  const read = () => readDomain(xml.replace(from, to));
  expect(read).toThrow(expect.objectContaining({ code: "SOJ_LIBVIRT_XML" }));
});
