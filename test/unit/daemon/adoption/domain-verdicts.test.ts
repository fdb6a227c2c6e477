import { describe, expect, test } from "vitest";
import type { HostOutlook } from "../../../../src/daemon/adoption/domains/procedures.ts";
import { judgeOutlook } from "../../../../src/daemon/adoption/domains/verdicts.ts";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import { fixture } from "../../hypervisor/domain-xml/fixtures.ts";

const domain = readDomain(fixture("lab-migratable"));
const { name, uuid } = domain;
const home: HostOutlook = {
  ...{ libvirt_version: "9.0.0", qemu_version: "10.0.2" },
  cpu: { model: "GenuineIntel 6 85 7", features: "avx avx2 fpu" },
  ...{ namesakes: [{ name, uuid, is_active: true }], missing_paths: [] },
  ...{ machine_refusal: null, cpu_refusal: null },
};
const there: HostOutlook = { ...home, namesakes: [] };

function judge(changes: Partial<HostOutlook>, facts: Partial<typeof domain> = {}, at = home) {
  return judgeOutlook("host-b", { ...domain, ...facts }, at, { ...there, ...changes })
    .filter(({ result }) => result !== "ok")
    .map(({ subject, result, detail }) => `${result} ${subject}: ${detail}`)
    .join("\n");
}

const passedThrough = {
  virtualization: "kvm",
  processor: { ...domain.processor, mode: "host-passthrough" },
};
const elsewhere = "11111111-2222-4333-8444-555555555555";

describe("what a host says of a domain that may come", () => {
  test("nothing against it, also where it is defined and shut off", () => {
    expect(judge({})).toBe("");
    expect(judge({ namesakes: [{ name, uuid, is_active: false }] })).toBe("");
  });

  test.each([
    [
      "a namesake",
      { namesakes: [{ name, uuid: elsewhere, is_active: false }] },
      /fail name: .*1111/,
    ],
    ["its UUID", { namesakes: [{ name: "x", uuid, is_active: false }] }, /fail name: .* name x$/],
    ["a twin", { namesakes: [{ name, uuid, is_active: true }] }, /fail name: .*runs there already/],
    [
      "files",
      { missing_paths: ["/srv/a", "/srv/b"] },
      /fail files: cannot use \/srv\/a, \/srv\/b$/,
    ],
    ["the machine", { machine_refusal: "no such" }, /fail machine: libvirt says: no such/],
    ["the processor", { cpu_refusal: "no avx" }, /fail processor: libvirt says: no avx/],
    ["an older QEMU", { qemu_version: "7.2.0" }, /warn QEMU: QEMU 7.2.0 is older than .* 10.0.2/],
  ])("%s", (_what, changes, expected) => {
    expect(judge(changes)).toMatch(expected);
  });

  test("a comparison of processors that fails at home too means nothing", () => {
    expect(judge({ cpu_refusal: "no avx" }, {}, { ...home, cpu_refusal: "no avx" })).toBe("");
  });

  test("the host's own processor must be the same there", () => {
    expect(judge({}, passedThrough)).toMatch(/warn processor: .*the same processor today/);
    const older = { cpu: { model: "GenuineIntel 6 63 2", features: "avx fpu" } };
    expect(judge(older, passedThrough)).toMatch(/fail processor: .*without avx2/);
    const emulated = { processor: { ...domain.processor, mode: "maximum" } };
    expect(judge({}, emulated)).toBe("");
    expect(judge({ qemu_version: "10.1.0" }, emulated)).toMatch(/another processor in QEMU 10.1.0/);
  });
});
