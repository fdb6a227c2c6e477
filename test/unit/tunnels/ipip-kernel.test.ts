import { describe, expect, test } from "vitest";
import { CommandError } from "../../../src/platform/command.ts";
import { tunnelName } from "../../../src/tunnels/identity.ts";
import type { Run } from "../../../src/tunnels/steps.ts";
import { createTunnels } from "../../../src/tunnels/tunnels.ts";

const spec = { kind: "ipip", localAddress: "172.16.1.2", remoteAddress: "172.16.2.2" } as const;
const name = tunnelName(spec);
const eth0 = {
  ifindex: 2,
  ifname: "eth0",
  flags: ["UP"],
  mtu: 1500,
  link_type: "ether",
  address: "52:54:00:00:00:01",
};

describe("ipip with the kernel's device", () => {
  test("the command lines, in order, each with its undo", async () => {
    const { tunnels } = kernelWith([eth0]);
    expect(await tunnels.plan(spec)).toEqual([
      {
        command: `ip link add name ${name} group 183 mtu 1480 type ipip local 172.16.1.2 remote 172.16.2.2 ttl 64 tos inherit pmtudisc dev eth0`,
        undo: `ip link del dev ${name}`,
      },
      {
        command: `ip link set dev ${name} alias sojourn:ipip:172.16.1.2:172.16.2.2:eth0:2`,
        undo: null,
      },
      { command: `ip link set dev ${name} addrgenmode none`, undo: null },
      { command: `ip address replace 192.0.0.8/32 scope host dev ${name}`, undo: null },
      {
        command: `sysctl -q -w net.ipv4.conf.${name}.rp_filter=2 net.ipv4.conf.${name}.send_redirects=0 net.ipv4.conf.${name}.accept_local=1`,
        undo: null,
      },
      { command: `ip link set dev ${name} up`, undo: null },
    ]);
  });

  test("ensure runs exactly the planned lines", async () => {
    const { tunnels, ran } = kernelWith([eth0]);
    const planned = (await tunnels.plan(spec)).map(({ command }) => command);
    ran.length = 0;
    expect(await tunnels.ensure(spec)).toEqual({
      ...{
        spec,
        interfaceName: name,
        datapath: "kernel",
        mtu: 1480,
        nextHop: null,
        nextHopMac: null,
      },
    });
    expect(
      ran.filter((line) => !line.includes("127.83.0.1") && !line.includes(" dev sjy")),
    ).toEqual(planned);
  });

  test("the kernel is asked whether it can once, and again after a tunnel could not be made", async () => {
    const { tunnels, ran, fail } = kernelWith([eth0]);
    const asked = () => ran.filter((line) => line.startsWith("ip link add name sjy")).length;
    await tunnels.ensure(spec);
    await tunnels.plan(spec);
    await tunnels.ensure(spec);
    expect(asked()).toBe(1);
    fail("addrgenmode");
    await expect(tunnels.ensure(spec)).rejects.toMatchObject({ code: "SOJ_TUNNEL_FAILED" });
    fail(undefined);
    await tunnels.ensure(spec);
    expect(asked()).toBe(2);
    // Who chooses wants to know what is so now.
    await tunnels.choose("ipip");
    expect(asked()).toBe(3);
  });

  test("a kernel that cannot any more is believed, whatever it could before", async () => {
    const { tunnels, fail } = kernelWith([eth0]);
    expect(await tunnels.choose("ipip")).toMatchObject({ datapath: "kernel" });
    fail("type ipip");
    expect(await tunnels.choose("ipip")).toMatchObject({ datapath: "bpf" });
    expect(await tunnels.describe(spec)).toMatchObject({ datapath: "bpf" });
    await expect(tunnels.support()).resolves.toContainEqual(
      expect.objectContaining({ datapath: "kernel", supported: false }),
    );
  });

  test("somebody else's device with the same endpoints is refused by name", async () => {
    const data = { local: "172.16.1.2", remote: "172.16.2.2" };
    const linkinfo = { info_kind: "ipip", info_data: data };
    const { tunnels, ran } = kernelWith([eth0, { ...eth0, ifname: "theirs", linkinfo }]);
    await expect(tunnels.ensure(spec)).rejects.toMatchObject({
      code: "SOJ_TUNNEL_FOREIGN",
      message: expect.stringContaining("theirs"),
    });
    expect(ran.filter((line) => line.includes(name))).toEqual([]);
  });

  test("a failing line takes the device back", async () => {
    const { tunnels, ran } = kernelWith([eth0], "addrgenmode");
    await expect(tunnels.ensure(spec)).rejects.toMatchObject({ code: "SOJ_TUNNEL_FAILED" });
    expect(ran.at(-1)).toBe(`ip link del dev ${name}`);
  });

  test("output that is not understood is a typed error", async () => {
    const tunnels = createTunnels({
      run: async () => ({ exitCode: 0, stdout: '{"surprise":1}', stderr: "" }),
    });
    await expect(tunnels.list()).rejects.toMatchObject({ code: "SOJ_TUNNEL_FAILED" });
  });
});

/** Answers of a kernel with the ipip module; this driver has no other way to be seen where there is none. */
function kernelWith(links: object[], firstFailing?: string) {
  const ran: string[] = [];
  let failing = firstFailing;
  const run: Run = async (program, args) => {
    const line = [program, ...args].join(" ");
    const answer = (value: object) => ({ exitCode: 0, stdout: JSON.stringify(value), stderr: "" });
    if (line === "ip -j -d link show") return answer(links);
    if (line.startsWith("ip -j route get")) return answer([{ dev: "eth0" }]);
    if (line.startsWith("tc -j")) return answer([]);
    ran.push(line);
    if (failing !== undefined && line.includes(failing)) throw new CommandError(line, 1, "no", "");
    return { exitCode: 0, stdout: "", stderr: "" };
  };
  const fail = (part: string | undefined) => {
    failing = part;
  };
  return { tunnels: createTunnels({ run }), ran, fail };
}
