import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/daemon/config.ts";
import { SojournError } from "../../../src/platform/errors.ts";

const complete = `[host]
name = "host-a"
underlay_address = "172.16.1.2"

[[guest_networks]]
subnet = "10.1.0.0/24"
gateway = "10.1.0.1"
bridge = "guests0"

[peer_api]
listen = "172.16.1.2:7707"
ca = "/etc/sojourn/pki/ca.crt"
certificate = "/etc/sojourn/pki/host.crt"
key = "/etc/sojourn/pki/host.key"

[peers.host-b]
address = "172.16.2.2:7707"
`;

function errorOf(text: string): SojournError {
  try {
    parseConfig(text, "sojourn.toml");
  } catch (error) {
    if (error instanceof SojournError) return error;
    throw error;
  }
  throw new Error("was accepted");
}

describe("parseConfig", () => {
  it("takes a range of ports on which guests arrive, and no other text for one", () => {
    const withPorts = (text: string) =>
      parseConfig(`${complete}\n[migration]\nports = "${text}"\n`, "sojourn.toml").migration.ports;
    expect(withPorts("49152-49215")).toEqual({ first: 49_152, last: 49_215 });
    for (const text of ["80-90", "50000-40000", "49152", "49152-70000", "1-2-3", "49152,to=1-2"]) {
      expect(() => withPorts(text)).toThrow(/migration\.ports/);
    }
  });

  it("has libvirt's guests only where the section is, protected as others are unless it says so", () => {
    const libvirtOf = (text: string) => parseConfig(`${complete}\n${text}`, "sojourn.toml").libvirt;
    expect(libvirtOf("")).toBeNull();
    expect(libvirtOf("[libvirt]\nenabled = false\n")).toBeNull();
    expect(libvirtOf("[libvirt]\n")).toEqual({ sockets: null, tls: true });
    expect(libvirtOf("[migration]\ntls = false\n[libvirt]\n")?.tls).toBe(false);
    const named = `[libvirt]\ntls = false\nsockets = ["/run/libvirt/libvirt-sock"]\n`;
    expect(libvirtOf(named)).toEqual({ sockets: ["/run/libvirt/libvirt-sock"], tls: false });
    expect(() => libvirtOf("[libvirt]\nsockets = []\n")).toThrow(/libvirt\.sockets/);
    expect(() => libvirtOf('[libvirt]\nuri = "qemu:///session"\n')).toThrow(
      /unknown key libvirt\.uri/,
    );
  });

  it("is a host that runs guests unless it says that it is an anchor", () => {
    const roleOf = (line: string) =>
      parseConfig(complete.replace("[host]", `[host]\n${line}`), "sojourn.toml").host.role;
    expect(roleOf("")).toBe("host");
    expect(roleOf('role = "anchor"')).toBe("anchor");
    expect(() => roleOf('role = "router"')).toThrow(/host\.role/);
  });

  it("fills in what is optional", () => {
    const config = parseConfig(complete, "sojourn.toml");
    expect(config.peers.get("host-b")).toEqual({ address: "172.16.2.2", port: 7707 });
    expect(config.migration).toMatchObject({
      tunnel: "auto",
      tls: true,
      frozenDeadlineMs: 2000,
      downtimeLimitMs: 300,
      maxBandwidthMbps: 0,
      timeoutS: 600,
    });
    expect(config.migration.ports).toBeNull();
    expect(config.paths.state).toBe("/var/lib/sojourn");
    expect(config.log.level).toBe("info");
  });

  it.each([
    ['[host]\nname = "host-a"\ncolour = 1\n', "line 3: unknown key host.colour"],
    [`${complete}\n[migration]\ntimeout = 3\n`, "line 20: unknown key migration.timeout"],
    [`${complete.replace("bridge =", "brigde =")}`, "line 8: unknown key guest_networks[0].brigde"],
    [`${complete}[extra]\n`, "line 18: unknown key extra"],
    [`${complete}adress = "x"\n`, "line 18: unknown key peers.host-b.adress"],
  ])("names line and path of an unknown key", (text, expected) => {
    expect(errorOf(text).message).toContain(expected);
  });

  it.each([
    ["10.1.0.0/24", "10.1.0.5/24", "line 6: guest_networks[0].subnet"],
    ['gateway = "10.1.0.1"', 'gateway = "10.2.0.1"', "line 7: guest_networks[0].gateway"],
    ["172.16.1.2:7707", "172.16.1.2", "line 11: peer_api.listen"],
    ["172.16.1.2:7707", "172.16.1.2:70000", "line 11: peer_api.listen"],
    ['"guests0"', '"a-very-long-interface"', "line 8: guest_networks[0].bridge"],
    ['"guests0"', '"guests0"\nport = "lan 0"', "line 9: guest_networks[0].port"],
    ['name = "host-a"', 'name = "../x"', "line 2: host.name"],
    ["[peers.host-b]", "[peers.host-a]", "peers.host-a: is this host itself"],
    ["172.16.2.2:7707", "host-b:7707", "line 17: peers.host-b.address"],
    ['"/etc/sojourn/pki/ca.crt"', '"pki/ca.crt"', "line 12: peer_api.ca"],
    ['name = "host-a"', 'name = "host-a', "line 2: "],
  ])("refuses %s → %s", (from, to, expected) => {
    const error = errorOf(complete.replace(from, to));
    expect(error.code).toBe("SOJ_CONFIG_INVALID");
    expect(error.exitCode).toBe(2);
    expect(error.message).toContain(expected);
  });

  it("gives clients of the API roles by the identity in their certificates", () => {
    const { api } = parseConfig(`${complete}${optional}`, "sojourn.toml");
    expect(api.listen).toEqual({ address: "172.16.1.2", port: 7708 });
    expect([...api.clients]).toEqual([
      ["sojourn://client/ansible", "operate"],
      ["spiffe://example.org/monitoring", "read"],
    ]);
    const plain = parseConfig(`${complete}[api]\n`, "sojourn.toml").api;
    expect(plain).toMatchObject({
      listen: null,
      certificatePath: "/etc/sojourn/pki/host.crt",
      clientCaPath: null,
      tokensPath: "/etc/sojourn/api-tokens.json",
    });
  });

  it.each([
    ['[api]\ncertificate = "/x"\n', "line 19: api.certificate: certificate and key come together"],
    ['[api.clients]\nansible = "read"\n', "line 18: api.clients: are known by their certificates"],
    ['[api]\nclient_ca = "/x"\nclients = { a = "root" }\n', "api.clients.a"],
    ['[api]\nclient_ca = "/x"\nclients = { "a b" = "read" }\n', "api.clients.a b"],
    ['[api]\nlisten = ":7708"\n', "line 19: api.listen"],
    ["[api]\nmax_connections = 0\n", "line 19: api.max_connections"],
  ])("refuses %j", (section, expected) => {
    expect(errorOf(`${complete}${section}`).message).toContain(expected);
  });

  it("refuses overlapping guest networks", () => {
    const second =
      '[[guest_networks]]\nsubnet = "10.1.0.128/25"\ngateway = "10.1.0.129"\nbridge = "g1"\n';
    expect(errorOf(complete + second).message).toContain("line 19: guest_networks[1].subnet");
  });

  it("answers any text with a configuration or a typed error", () => {
    const fragments = fc.constantFrom(...complete.split("\n"), "[", "]]", "= =", '"""', "\u0000");
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 300 }),
      fc.array(fragments, { maxLength: 30 }).map((lines) => lines.join("\n")),
    );
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseConfig(text, "sojourn.toml");
        } catch (error) {
          expect(error).toBeInstanceOf(SojournError);
          expect((error as SojournError).message.length).toBeLessThan(8_000);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("names the key of a value that is not as it should be, whatever is written there", () => {
    const everything = `${complete}${optional}`;
    expect(() => parseConfig(everything, "sojourn.toml")).not.toThrow();
    const lines = everything.split("\n");
    const assigned = lines.flatMap((line, index) => (line.includes(" = ") ? [index] : []));
    fc.assert(
      fc.property(fc.constantFrom(...assigned), tomlValue, (index, value) => {
        const key = lines[index]?.split(" = ")[0] ?? "";
        const changed = lines.with(index, `${key} = ${value}`).join("\n");
        try {
          parseConfig(changed, "sojourn.toml");
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_CONFIG_INVALID" });
          const { message } = error as SojournError;
          expect(message).toMatch(`line ${index + 1}: `);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("answers a valid file with any of its bytes changed, gone or doubled with a typed error", () => {
    const bytes = Buffer.from(`${complete}${optional}`);
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.uint8Array({ maxLength: 3 }), fc.nat(40));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const changed = changes.reduce(
          (before, [at, put, cut]) =>
            Buffer.concat([before.subarray(0, at), put, before.subarray(at + cut)]),
          bytes,
        );
        try {
          parseConfig(changed.toString("latin1"), "sojourn.toml");
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_CONFIG_INVALID" });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

const optional = `
[migration]
ports = "49152-49215"
tunnel = "ipip"
tls = true
frozen_deadline_ms = 2000
downtime_limit_ms = 300
max_bandwidth_mbps = 0
minimum_passes = 2
timeout_s = 600

[paths]
state = "/var/lib/sojourn"
run = "/run/sojourn"
guests = "/etc/sojourn/guests"

[log]
level = "info"

[api]
listen = "172.16.1.2:7708"
certificate = "/etc/sojourn/api.crt"
key = "/etc/sojourn/api.key"
client_ca = "/etc/sojourn/pki/ca.crt"
tokens_file = "/etc/sojourn/api-tokens.json"
socket_group = "sojourn"
max_connections = 512
max_connections_per_address = 256
max_connections_per_caller = 128
handshakes_per_second = 300
requests_per_second = 200
requests_per_second_per_address = 400
max_followers = 32

[api.clients]
ansible = "operate"
"spiffe://example.org/monitoring" = "read"
`;

/** A value of any of TOML's types, and texts that mean something elsewhere. */
const tomlValue = fc.oneof(
  fc.constantFrom("[]", "{}", "[[1]]", '{a = "b"}', "nan", "-inf", "1e400", "0x1F", "-1", "0"),
  fc.constantFrom("1979-05-27", "07:32:00", '""', '"/"', '"../x"', '"a,b"', '"0.0.0.0/0"', "true"),
  fc.constantFrom('"10.1.0.0/24/1"', '"1.2.3.4:0x50"', '"-help"', '"\\u0000"', "9007199254740993"),
  fc.string({ unit: "binary", maxLength: 100 }).map((text) => JSON.stringify(text)),
  fc.integer().map(String),
);
