import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CommandError, runCommand } from "../../src/platform/command.ts";
import { tunnelName } from "../../src/tunnels/identity.ts";
import type { Run } from "../../src/tunnels/steps.ts";
import type { TunnelSpec } from "../../src/tunnels/tunnel.ts";
import { createTunnels } from "../../src/tunnels/tunnels.ts";
import {
  createTunnelBed,
  ping,
  snapshot,
  specOf,
  type TunnelBed,
  type TunnelHost,
} from "./tunnels-support.ts";

let bed: TunnelBed;

beforeEach(async () => {
  bed = await createTunnelBed();
});

afterEach(() => bed[Symbol.asyncDispose]());

const foreignFilter = (side: string, preference: number) =>
  `filter add dev eth0 ${side} protocol ip pref ${preference} u32 match u32 0 0 classid 1:1`.split(
    " ",
  );

describe("what others have on the underlay", () => {
  test("their qdiscs and filters are there before, during and after a tunnel", async () => {
    const [a, b] = bed.hosts;
    await a.run("tc", "qdisc add dev eth0 root handle 1: htb default 1".split(" "));
    await a.run("tc", foreignFilter("ingress", 9000));
    await a.run("tc", foreignFilter("egress", 9000));
    const before = await snapshot(a);
    await bed.connect("ipip", a, b);
    await ping(a, b, 1480);
    expect((await a.run("tc", ["filter", "show", "dev", "eth0", "ingress"])).stdout).toContain(
      "pref 9000",
    );
    await a.tunnels.remove(specOf("ipip", a, b));
    expect(await snapshot(a)).toEqual(before);
  });

  test.each(["ipip", "vxlan"] as const)(
    "tunnels of kind %s come and go without the loss of a packet",
    async (kind) => {
      const [a, b] = bed.hosts;
      const pings = a.run("ping", ["-q", "-i", "0.001", "-w", "4", b.underlayAddress]);
      const ended = pings.then(
        () => true,
        () => true,
      );
      let made = 0;
      while (!(await Promise.race([ended, Promise.resolve(false)]))) {
        await a.tunnels.ensure(specOf(kind, a, b));
        await a.tunnels.remove(specOf(kind, a, b));
        made++;
      }
      const { stdout } = await pings;
      const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
      expect(made).toBeGreaterThan(3);
      expect(Number(sent)).toBeGreaterThan(500);
      expect(received).toBe(sent);
    },
  );

  test("what the underlay needs is made once, and stays", async () => {
    const [a, b] = bed.hosts;
    await a.run("tc", ["qdisc", "del", "dev", "eth0", "clsact"]);
    for (const _again of [1, 2]) {
      await a.tunnels.prepareUnderlay(a.underlayAddress, b.underlayAddress);
      expect((await a.run("tc", ["qdisc", "show", "dev", "eth0"])).stdout).toContain("clsact");
    }
    const before = await snapshot(a);
    await bed.connect("ipip", a, b);
    await a.tunnels.remove(specOf("ipip", a, b));
    expect(await snapshot(a)).toEqual(before);
  });

  test("an ingress qdisc serves as well as clsact", async () => {
    const [a, b] = bed.hosts;
    await a.run("tc", ["qdisc", "del", "dev", "eth0", "clsact"]);
    await a.run("tc", ["qdisc", "add", "dev", "eth0", "ingress"]);
    const before = await snapshot(a);
    await bed.connect("ipip", a, b);
    await ping(a, b, 1480);
    await a.tunnels.remove(specOf("ipip", a, b));
    expect(await snapshot(a)).toEqual(before);
  });

  test("a filter that somebody puts on the qdisc meanwhile stays", async () => {
    const [a, b] = bed.hosts;
    await bed.connect("ipip", a, b);
    await a.run("tc", foreignFilter("egress", 9000));
    await a.tunnels.remove(specOf("ipip", a, b));
    expect((await a.run("tc", ["filter", "show", "dev", "eth0", "egress"])).stdout).toContain(
      "pref 9000",
    );
  });

  test("a filter of somebody else in our place is refused and left alone", async () => {
    const [a, b] = bed.hosts;
    await a.run("tc", foreignFilter("ingress", 183));
    const before = await snapshot(a);
    await expect(a.tunnels.ensure(specOf("ipip", a, b))).rejects.toMatchObject({
      code: "SOJ_TUNNEL_FOREIGN",
      message: expect.stringContaining("eth0"),
    });
    expect(await snapshot(a)).toEqual(before);
  });

  test("a vxlan device with the same network is refused by name and left alone", async () => {
    const [a, b] = bed.hosts;
    const spec = specOf("vxlan", a, b);
    const create = (await a.tunnels.plan(spec)).find(({ command }) => command.includes("link add"));
    const words = create?.command.replace(tunnelName(spec), "theirs").split(" ").slice(1);
    await a.run("ip", words ?? []);
    const before = await snapshot(a);
    await expect(a.tunnels.ensure(spec)).rejects.toMatchObject({
      code: "SOJ_TUNNEL_FOREIGN",
      message: expect.stringContaining("theirs"),
    });
    expect(await snapshot(a)).toEqual(before);
  });
});

describe.each(["ipip", "vxlan"] as const)("%s", (kind) => {
  test("whichever command fails half-way, nothing is left", async () => {
    const [a, b] = bed.hosts;
    const spec = specOf(kind, a, b);
    const before = await snapshot(a);
    const commands = await plannedCommands(a, spec);
    expect(commands.length).toBeGreaterThan(4);
    for (const command of commands) {
      const tunnels = failingTunnels(a, command);
      const failure = await tunnels.ensure(spec).catch((error) => error);
      expect(failure, command).toMatchObject({
        code: "SOJ_TUNNEL_FAILED",
        message: expect.stringMatching(/made to fail.*nothing of it is left/),
      });
      expect(await snapshot(a), command).toEqual(before);
    }
  });

  test("killed at whichever command, the next ensure completes the tunnel", async () => {
    const [a, b] = bed.hosts;
    const spec = specOf(kind, a, b);
    await bed.connect(kind, b, a);
    await a.tunnels.remove(spec);
    const before = await snapshot(a);
    for (const command of await plannedCommands(a, spec)) {
      await expect(failingTunnels(a, command, "for ever").ensure(spec)).rejects.toThrow();
      await bed.connect(kind, a, b);
      expect(await a.tunnels.plan(spec), command).toEqual([]);
      await ping(a, b, 1400);
      await a.tunnels.remove(spec);
      expect(await snapshot(a), command).toEqual(before);
    }
  });
});

test("what a kernel cannot do is told with each reason, and asking leaves nothing", async () => {
  const [a] = bed.hosts;
  const before = await snapshot(a);
  const tunnels = createTunnels({ run: a.run, objectPath: "/nowhere.o", ipipDatapath: "bpf" });
  await expect(tunnels.choose("ipip")).rejects.toMatchObject({
    code: "SOJ_TUNNEL_UNSUPPORTED",
    message: expect.stringContaining("/nowhere.o"),
  });
  expect(await tunnels.choose("auto")).toEqual({ kind: "vxlan", datapath: "kernel" });
  expect(await a.tunnels.choose("auto")).toEqual({ kind: "ipip", datapath: "bpf" });
  const support = await createTunnels({ run: a.run, runtimeFolder: bed.runtimeFolder }).support();
  expect(support.map(({ kind, datapath }) => `${kind} ${datapath}`)).toEqual([
    "ipip kernel",
    "ipip bpf",
    "vxlan kernel",
  ]);
  for (const { supported, reason } of support) expect(reason === null).toBe(supported);
  const own = (state: unknown) => JSON.stringify(state).match(/"sj[a-z0-9]*"/g);
  expect(own(await snapshot(a))).toEqual(own(before));
});

test("no file system is mounted and no file is left by loading programs", async () => {
  const [a, b] = bed.hosts;
  // Others make and remove network namespaces meanwhile, each of which is a mount.
  const mounts = async () => {
    const { stdout } = await runCommand("cat", ["/proc/self/mounts"]);
    return stdout.split("\n").filter((line) => !line.startsWith("nsfs "));
  };
  const before = await mounts();
  await bed.connect("ipip", a, b);
  expect(await mounts()).toEqual(before);
  expect((await runCommand("ls", [bed.runtimeFolder])).stdout).toBe("");
});

async function plannedCommands({ tunnels }: TunnelHost, spec: TunnelSpec): Promise<string[]> {
  const lines = (await tunnels.plan(spec)).map(({ command }) => command);
  return lines.filter((line) => !/^(install|rm) /.test(line));
}

/** Tunnels whose one command, or all from that one on, fail; the rest goes to the real kernel. */
function failingTunnels({ run }: TunnelHost, failing: string, how: "once" | "for ever" = "once") {
  let ended = false;
  const failingRun: Run = async (program, args, options) => {
    const line = [program, ...args].join(" ");
    if (ended || line === failing) {
      ended = how === "for ever";
      throw new CommandError(line, 1, "made to fail", "");
    }
    return run(program, args, options);
  };
  const { runtimeFolder } = bed;
  return createTunnels({ run: failingRun, runtimeFolder, ipipDatapath: "bpf" });
}
