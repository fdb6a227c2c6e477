import { expect, test } from "vitest";
import {
  definitionOfDomain,
  judgeDomain,
  nicOfDomain,
} from "../../../../src/hypervisor/libvirt/adoption/proposal.ts";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import { fixture, smallDomain } from "../domain-xml/fixtures.ts";

const sound = { hasAcpi: true, isPersistent: true, isBusy: false, refusal: null };

test("a domain is described by its definition, and remains libvirt's", () => {
  const facts = readDomain(fixture("lab-migratable"));
  const nic = { mac: "52:54:00:77:7b:59", addresses: ["10.1.0.10/24"], gateway: "10.1.0.1" };
  expect(definitionOfDomain(facts, nic)).toEqual({
    name: "web1",
    uuid: "da275636-58e7-4170-8c1e-f6681149fadf",
    memory_mib: 128,
    vcpus: 1,
    machine: "pc-i440fx-10.0",
    accelerator: "tcg",
    kernel: "/opt/lab/vmlinuz",
    initrd: "/opt/lab/initramfs.cpio.gz",
    disks: [],
    nics: [nic],
    extra_arguments: [],
    hypervisor: "libvirt",
  });
  expect(judgeDomain({ facts, ...sound })).toEqual({ refusals: [], warnings: [] });
  expect(nicOfDomain(facts)).toMatchObject({ device: "lv-web1", mac: "52:54:00:77:7b:59" });
});

test("a machine that no definition of QEMU's has is described without it", () => {
  const facts = readDomain(smallDomain().replace("machine='q35'", "machine='microvm'"));
  const nic = { mac: "52:54:00:00:00:01", addresses: [] };
  expect(definitionOfDomain(facts, nic)).toMatchObject({ machine: "pc", accelerator: "kvm" });
});

test.each([
  ["no NIC", smallDomain(), "", /^the domain has no NIC/],
  ["a NIC without a tap", nicOf("user"), "", /is a network within QEMU.*\[nic-type\]$/],
  ["another architecture", lanNic().replace("x86_64", "aarch64"), "", /aarch64, not x86_64/],
  ["libvirt's own words", lanNic(), "domain has 1 snapshots", /libvirt says: domain has 1 snap/],
])("is refused: %s", (_what, xml, refusal, expected) => {
  const facts = readDomain(xml);
  const { refusals } = judgeDomain({ ...sound, facts, refusal: refusal === "" ? null : refusal });
  expect(refusals).toEqual([expect.stringMatching(expected)]);
});

test("what libvirt is doing with it, and what depends on the other host, is told", () => {
  const facts = readDomain(
    smallDomain(
      "<interface type='bridge'><mac address='52:54:00:00:00:01'/><filterref filter='clean'/></interface>",
    ),
  );
  expect(
    judgeDomain({ facts, hasAcpi: false, isPersistent: false, isBusy: true, refusal: null }),
  ).toEqual({
    refusals: [expect.stringContaining("virsh domjobinfo")],
    warnings: [
      expect.stringMatching(/has a network filter.*\(filter clean\) \[network-filter\]$/),
      expect.stringContaining("<features><acpi/>"),
      expect.stringContaining("transient"),
    ],
  });
  expect(nicOfDomain(facts)).toBeNull();
});

function nicOf(type: string): string {
  return smallDomain(`<interface type='${type}'><mac address='52:54:00:00:00:01'/></interface>`);
}

function lanNic(): string {
  return nicOf("bridge");
}
