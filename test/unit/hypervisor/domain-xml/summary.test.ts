import { expect, test } from "vitest";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import { summarizeDomain } from "../../../../src/hypervisor/libvirt/domain-xml/summary.ts";
import { fixture } from "./fixtures.ts";

test("a domain in the words of a definition, with the addresses that it cannot know", () => {
  const known = { mac: "52:54:00:6c:3a:01", addresses: ["10.1.0.20/24"], gateway: "10.1.0.1" };
  const other = { mac: "52:54:00:00:00:01", addresses: ["10.1.0.30/24"] };
  expect(summarizeDomain(readDomain(fixture("virt-install")), [other, known])).toEqual({
    name: "shop-db",
    uuid: "6b6f7f0a-4a55-4a2c-9d6e-1f0a5e7b9c01",
    memory_mib: 4096,
    vcpus: 4,
    nics: [known],
    disks: [{ path: "/srv/images/shop-db.qcow2", format: "qcow2", read_only: false }],
    other_disks: [],
  });
});

test("storage that a definition has no words for is named", () => {
  expect(summarizeDomain(readDomain(fixture("nova")), [])).toMatchObject({
    nics: [{ mac: "fa:16:3e:12:34:56", addresses: [] }],
    disks: [
      {
        ...{ path: "/var/lib/nova/instances/2f0c3f36/disk.eph0", format: "qcow2" },
        cache: "none",
      },
    ],
    other_disks: ["vda (network)"],
  });
  expect(summarizeDomain(readDomain(fixture("by-hand")), [])).toMatchObject({
    memory_mib: 954,
    disks: [{ path: "/srv/bau's.img", format: "raw" }],
    other_disks: ["vdb (volume)", "vdc (nvme)"],
  });
});
