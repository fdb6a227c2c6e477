import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  guestDefinitionFromJson,
  guestUuid,
  parseGuestDefinition,
} from "../../../src/hypervisor/definition.ts";

const toml = `
name = "web1"
memory_mib = 128
kernel = "/boot/vmlinuz"
initrd = "/boot/initramfs"
append = "console=ttyS0"

[[disks]]
path = "/srv/web1.qcow2"
format = "qcow2"

[[nics]]
mac = "52:54:00:AA:bb:01"
addresses = ["10.1.0.10/24"]
gateway = "10.1.0.1"
`;

const parse = (text: string) => parseGuestDefinition(text, "web1.toml");

describe("parseGuestDefinition", () => {
  test("fills in what is not said", () => {
    expect(parse(toml)).toEqual({
      name: "web1",
      memory_mib: 128,
      vcpus: 1,
      machine: "pc",
      accelerator: "auto",
      kernel: "/boot/vmlinuz",
      initrd: "/boot/initramfs",
      append: "console=ttyS0",
      disks: [{ path: "/srv/web1.qcow2", format: "qcow2", read_only: false }],
      nics: [{ mac: "52:54:00:aa:bb:01", addresses: ["10.1.0.10/24"], gateway: "10.1.0.1" }],
      extra_arguments: [],
    });
  });

  test("survives the way through JSON unchanged", () => {
    const guest = parse(toml);
    expect(guestDefinitionFromJson(JSON.parse(JSON.stringify(guest)))).toEqual(guest);
  });

  const faults: [string, string, RegExp][] = [
    ["an unknown key", `${toml}speed = 3`, /web1\.toml: line 16: unknown key nics\[0\]\.speed/],
    ["no memory", 'name = "a"', /memory_mib/],
    ["a name that is a path", 'name = "../a"\nmemory_mib = 64', /line 1: name: not a name/],
    ["a multicast MAC", toml.replace("52:54", "53:54"), /nics\[0\]\.mac: not a unicast/],
    ["an address without length", toml.replace("10/24", "10"), /nics\[0\]\.addresses\[0\]/],
    ["a relative kernel", toml.replace('"/boot/vmlinuz', '"vmlinuz'), /kernel: not an absolute/],
    ["an initrd alone", toml.replace(/kernel.*\n/, ""), /initrd: needs a kernel/],
    ["a control character", toml.replace("ttyS0", "tty\\u0000"), /append: control characters/],
    [
      "two NICs with one MAC",
      `${toml}\n[[nics]]\nmac = "52:54:00:aa:bb:01"`,
      /nics\[1\]\.mac: used/,
    ],
    [
      "an argument of ours",
      `extra_arguments = ["--incoming", "tcp:0:1"]\n${toml}`,
      /extra_arguments\[0\]: -incoming is set/,
    ],
    ["no TOML", "name = ", /web1\.toml: line 1/],
  ];
  test.each(faults)("%s is a usage error that says where", (_, text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: "SOJ_GUEST_DEFINITION_INVALID",
        exitCode: 2,
        message: expect.stringMatching(message),
      }),
    );
  });

  test("any input gives a definition or a typed error", () => {
    const fails = (action: () => unknown) => {
      try {
        action();
      } catch (error) {
        expect(error).toMatchObject({ code: "SOJ_GUEST_DEFINITION_INVALID" });
      }
    };
    fc.assert(fc.property(fc.string(), (text) => fails(() => parse(text))));
    fc.assert(fc.property(fc.anything(), (value) => fails(() => guestDefinitionFromJson(value))));
  });
});

describe("guestUuid", () => {
  const guest = parse(toml);

  test("is the same every time and depends on name and first MAC", () => {
    expect(guestUuid(guest)).toBe(guestUuid(parse(toml)));
    expect(guestUuid(guest)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(guestUuid({ ...guest, name: "web2" })).not.toBe(guestUuid(guest));
    expect(guestUuid({ ...guest, nics: [] })).not.toBe(guestUuid(guest));
    expect(guestUuid({ ...guest, memory_mib: 256 })).toBe(guestUuid(guest));
  });

  test("is the definition's own where it has one, in lower case", () => {
    const uuid = "0F6A2F1E-7B7E-4B8A-9C51-2D5A4F0E8B11";
    expect(guestUuid(parse(`uuid = "${uuid}"\n${toml}`))).toBe(uuid.toLowerCase());
  });
});
