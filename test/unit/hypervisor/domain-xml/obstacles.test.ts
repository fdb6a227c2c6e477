import { expect, test } from "vitest";
import {
  obstaclesOf,
  refusalsOf,
} from "../../../../src/hypervisor/libvirt/domain-xml/obstacles/judge.ts";
import type { Obstacle } from "../../../../src/hypervisor/libvirt/domain-xml/obstacles/obstacle.ts";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import { fixture, smallDomain } from "./fixtures.ts";

const judged = (xml: string) => obstaclesOf(readDomain(xml));
const short = ({ verdict, code, subject }: Obstacle) => `${verdict} ${code}: ${subject}`;
const nic = "<interface type='bridge'><mac address='52:54:00:00:00:01'/></interface>";

test("nothing stands against the lab's domain", () => {
  expect(judged(fixture("lab-migratable"))).toEqual([]);
});

test("a usual domain moves, and it is told what it needs", () => {
  expect(judged(fixture("virt-install")).map(short)).toEqual([
    "depends cpu-of-host: the processor",
    "depends tpm: the TPM",
    "noted nvram: the firmware's variables",
    "noted graphics: vnc screen",
  ]);
  expect(judged(fixture("virt-manager-running")).map(short)).toEqual([
    "depends network-filter: NIC 52:54:00:aa:bb:cc",
    "depends graphics-address: spice screen",
    "depends graphics-address: spice screen",
    "depends graphics-address: spice screen",
    "noted usb-redirection: redirdev",
    "noted graphics: spice screen",
  ]);
  expect(judged(fixture("nova")).map(short)).toEqual([
    "depends host-cpus: the processors",
    "depends host-cpus: the processors",
    "depends host-cpus: the processors",
    "depends host-nodes: the memory",
    "depends huge-pages: the memory",
    "depends secret: secret 457eb676-33da-42ec-9a8c-9293d545c337",
    "depends graphics-address: vnc screen",
    "noted nic-connection: NIC fa:16:3e:12:34:56",
    "noted graphics: vnc screen",
  ]);
});

test("all that keeps a domain, the gravest first, with what is to be compared", () => {
  const obstacles = judged(fixture("by-hand"));
  expect(obstacles.map(short)).toEqual([
    "refused name: the domain's name",
    "refused invariant-tsc: the processor",
    "refused shared-memory: shared memory bus",
    "refused nic-count: the domain",
    "refused nic-type: NIC 52:54:00:00:0a:0c",
    "refused nic-type: NIC 52:54:00:00:0a:0d",
    "refused transient-disk: disk vda",
    "refused storage-type: disk vdc",
    "refused tpm: the TPM",
    "refused host-device: host device 0000:3b:00.1",
    "refused host-device: host device 046d:c52b",
    "refused filesystem: file system share",
    "refused filesystem: file system home",
    "refused input-of-host: an input device",
    "refused graphics-acceleration: spice screen",
    "refused graphics-acceleration: the video device",
    "depends qemu-arguments: QEMU's own arguments",
    "depends cpu-of-host: the processor",
    "depends host-cpus: the processors",
    "depends storage-pool: disk vdb",
    "depends vsock: the vsock",
    "depends character-device: serial 1",
    "depends character-device: serial 2",
    "noted nic-connection: NIC 52:54:00:00:0a:0b",
    "noted graphics: spice screen",
  ]);
  const facts = Object.fromEntries(obstacles.map((each) => [short(each), each.facts]));
  expect(facts).toMatchObject({
    "refused nic-count: the domain": { count: "3" },
    "refused nic-type: NIC 52:54:00:00:0a:0d": { type: "direct", host_device: "eno1" },
    "refused host-device: host device 046d:c52b": { type: "usb", address: "046d:c52b" },
    "depends storage-pool: disk vdb": { pool: "default", volume: "data.qcow2" },
    "depends vsock: the vsock": { context_id: "7" },
    "depends character-device: serial 2": { mode: "bind", address: "127.0.0.1:4555" },
  });
  const words = refusalsOf(obstacles);
  expect(words).toHaveLength(16);
  expect(words).toContain("the domain has 3 NICs; one is led");
  expect(words).toContain(
    "file system home is a folder of the host (9p), with which QEMU does not migrate",
  );
});

test.each([
  ["<interface type='network'><source network='n'/></interface>", "depends nic-connection"],
  ["<interface type='network'><source network='n' bridge='b'/></interface>", null],
  ["<interface type='ethernet'><target dev='t' managed='no'/></interface>", null],
  ["<interface type='hostdev'/>", "refused nic-type"],
  ["<interface type='vhostuser'/>", "refused nic-type"],
  ["<interface type='vdpa'/>", "refused nic-type"],
  ["<interface type='mcast'/>", "refused nic-type"],
  ["<interface type='bridge'><teaming type='persistent'/></interface>", "refused host-device"],
  [
    "<interface type='network'><source bridge='b'/><bandwidth><inbound floor='1'/></bandwidth></interface>",
    "refused bandwidth-floor",
  ],
  ["", "refused nic-count"],
])("NIC: %s: %s", (xml, verdict) => expectOne(smallDomain(xml), verdict));

test.each([
  ["<disk type='dir'><source dir='/d'/></disk>", "refused storage-type"],
  ["<disk type='vhostuser'><source type='unix' path='/s'/></disk>", "refused storage-type"],
  ["<disk type='file'><source file='/d'/><mirror type='file'/></disk>", "refused block-job"],
  [
    "<disk type='block' device='lun'><source dev='/d'><reservations managed='yes'/></source></disk>",
    "depends persistent-reservations",
  ],
  ["<disk type='file' device='cdrom'/>", null],
  [
    "<serial type='dev'><source path='/dev/ttyS1'/></serial><console type='dev'><source path='/dev/ttyS1'/></console>",
    "depends character-device",
  ],
  ["<hostdev mode='subsystem' type='mdev'><source/></hostdev>", "refused host-device"],
  ["<memory model='nvdimm'><source><path>/p</path></source></memory>", "refused memory-file"],
  ["<memory model='dimm'/>", null],
  ["<shmem name='s' role='master'/>", null],
  ["<crypto model='virtio'/>", "refused crypto-device"],
  ["<smartcard mode='host'/>", "refused host-device"],
  ["<smartcard mode='passthrough' type='spicevmc'/>", null],
  ["<lease><lockspace>l</lockspace><key>k</key></lease>", "depends lock"],
  [
    "<graphics type='vnc' autoport='yes'><listen type='address' address='::1'/></graphics>",
    "noted graphics",
  ],
  ["<tpm><backend type='external'/></tpm>", "refused tpm"],
])("%s: %s", (xml, verdict) => expectOne(smallDomain(nic + xml), verdict));

test.each([
  ["<launchSecurity type='sev'/>", "refused confidential-memory"],
  ["<resource><partition>/shop</partition></resource>", "depends control-group"],
  ["<seclabel type='static' model='selinux'><label>l</label></seclabel>", "depends security-label"],
  ["<cpu mode='maximum'/>", "depends cpu-of-host"],
  ["<numatune><memory mode='preferred' nodeset='1'/></numatune>", null],
  [
    "<cpu mode='custom'><feature name='invtsc' policy='require'/></cpu><clock><timer name='tsc' frequency='2000000000'/></clock>",
    null,
  ],
])("the domain: %s: %s", (xml, verdict) => expectOne(smallDomain(nic, xml), verdict));

test("what is no QEMU is refused", () => {
  const [first] = judged(smallDomain(nic).replace("'kvm'", "'xen'"));
  expect(first).toMatchObject({ verdict: "refused", code: "not-qemu" });
});

/** What is judged of the domain is this alone, or nothing. */
function expectOne(xml: string, verdict: string | null): void {
  const [first, ...others] = judged(xml);
  expect(first === undefined ? null : `${first.verdict} ${first.code}`).toBe(verdict);
  expect(others).toEqual([]);
}
