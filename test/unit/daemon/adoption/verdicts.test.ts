import { describe, expect, test } from "vitest";
import { cpuOf } from "../../../../src/daemon/adoption/host-cpu.ts";
import type { HostRehearsal } from "../../../../src/daemon/adoption/procedures.ts";
import { judgeRehearsal, milder } from "../../../../src/daemon/adoption/verdicts.ts";
import { guestDefinitionFromJson } from "../../../../src/hypervisor/definition.ts";

const devices = [
  "/machine pc-q35-10.0-machine",
  "/machine/peripheral/a e1000 on /machine/q35/pcie.0 16",
];
const cpu = { model: "GenuineIntel 6 85 7", features: "avx avx2 fpu" };
const there: HostRehearsal = {
  ...{
    qemu_version: "10.0.2",
    cpu,
    has_vhost_net: true,
    missing_files: [],
    devices,
    failure: null,
  },
};

function judge(
  changes: Partial<HostRehearsal>,
  { model = null as string | null, accelerator = "kvm", carried = ["-m", "64"] } = {},
) {
  const definition = guestDefinitionFromJson({
    ...{ name: "byhand", memory_mib: 64, accelerator, qemu_arguments: carried },
  });
  const examined = {
    monitor: { tree: { devices }, version: { major: 10, minor: 0, text: "10.0.2" } },
    carried: { cpu: model },
  };
  return judgeRehearsal("host-b", definition, examined as never, { cpu }, { ...there, ...changes })
    .filter(({ result }) => result !== "ok")
    .map(({ subject, result, detail }) => `${result} ${subject}: ${detail}`)
    .join("\n");
}

describe("what a host says of a guest that it might get", () => {
  test("the same machine is fine", () => {
    expect(judge({})).toBe("");
  });

  test.each([
    ["files", { missing_files: ["/srv/d.qcow2"] }, {}, "fail files: cannot read /srv/d.qcow2"],
    ["QEMU's words", { devices: null, failure: "no such CPU" }, {}, "fail machine: no such CPU"],
    [
      "another machine",
      { devices: [devices[0] ?? "", "/machine/peripheral/a e1000 on /machine/q35/pcie.0 24"] },
      {},
      /fail machine: it would be another machine: not there: .* 16; only there: .* 24/,
    ],
    [
      "host passthrough",
      { cpu: { model: "GenuineIntel 6 63 2", features: "avx fpu" } },
      { model: "host,migratable=on" },
      /fail processor: -cpu host,?.*that one is another: without avx2/,
    ],
    ["the same processor", {}, { model: "host" }, /warn processor: .*the same processor today/],
    [
      "max under emulation",
      { qemu_version: "9.2.0" },
      { model: "max", accelerator: "tcg" },
      /fail processor: -cpu max is another processor in QEMU 9.2.0/,
    ],
    ["an older QEMU", { qemu_version: "9.2.0" }, {}, /warn QEMU: QEMU 9.2.0 is older/],
    [
      "vhost",
      { has_vhost_net: false },
      { carried: ["-netdev", "tap,id=n,ifname=%tap0%,vhost=on"] },
      /fail vhost: .*no \/dev\/vhost-net/,
    ],
  ])("%s", (_what, changes, guest, expected) => {
    expect(judge(changes, guest)).toMatch(expected);
  });

  test("where no host was named, one that is able is enough", () => {
    const check = (host: string, result: "ok" | "fail") => ({
      host,
      result,
      subject: "x",
      detail: "",
    });
    const results = (...checks: ReturnType<typeof check>[]) =>
      milder(checks, "host-a").map(({ result }) => result);
    expect(results(check("host-a", "ok"), check("host-b", "fail"), check("host-c", "ok"))).toEqual([
      ...["ok", "warn", "ok"],
    ]);
    expect(results(check("host-a", "ok"), check("host-b", "fail"))).toEqual(["ok", "fail"]);
    expect(results(check("host-a", "fail"), check("host-b", "ok"))).toEqual(["fail", "ok"]);
  });

  test("a processor is its model and its features, in any order", () => {
    const text =
      "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nstepping\t: 7\nflags\t\t: fpu avx fpu\n";
    expect(cpuOf(text)).toEqual({ model: "GenuineIntel 6 85 7", features: "avx fpu" });
    expect(cpuOf("")).toEqual({ model: "   ", features: "" });
  });
});
