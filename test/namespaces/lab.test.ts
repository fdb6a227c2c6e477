import { statSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { downLab, labNodePrefix, nodesOfLab, upLab } from "../../src/lab/index.ts";
import { lockLab } from "../../src/lab/lock.ts";
import { identify } from "../../src/lab/process-control.ts";
import { labProcesses } from "../../src/lab/processes.ts";
import { runCommand } from "../../src/platform/command.ts";
import { isSameProcess } from "../../src/platform/process-identity.ts";
import { footprintOf } from "./lab-support/footprint.ts";
import { run, sojourn } from "./lab-support/run.ts";

const lab = `sjtest${process.pid}`;
const before = { ...footprintOf(lab), shared: [] };
const exec = (node: string, ...command: string[]) =>
  run([sojourn, "lab", "exec", "--lab", lab, node, "--", ...command]);
const inNode = (node: string, ...command: string[]) =>
  run([...labNodePrefix(lab, node), ...command]);

describe("a lab that is up", () => {
  beforeAll(async () => {
    await upLab({ lab, hosts: 2, daemons: false });
  });
  afterAll(async () => {
    await downLab(lab);
  });

  test("has the nodes and addresses of the design, routed through the router", async () => {
    expect(nodesOfLab(lab)).toEqual(["router", "client", "host-a", "host-b"]);
    const pairs = [
      ["client", "172.16.1.2"],
      ["client", "10.2.0.1"],
      ["host-a", "172.16.2.2"],
      ["host-b", "192.0.2.2"],
    ] as const;
    for (const [node, address] of pairs) {
      const ping = await inNode(node, "ping", "-n", "-c1", "-W2", address);
      expect(ping.code, `${node} to ${address}: ${ping.stdout}${ping.stderr}`).toBe(0);
    }
    const hop = await inNode("client", "ip", "-j", "route", "get", "10.2.0.1");
    expect(JSON.parse(hop.stdout)[0]).toMatchObject({ gateway: "192.0.2.1", dev: "eth0" });
  });

  test("gives every node folders and a name of its own", async () => {
    for (const folder of ["/run", "/var/lib/sojourn", "/etc/sojourn"]) {
      await inNode("host-a", "touch", `${folder}/only-here`);
      expect((await inNode("host-a", "ls", folder)).stdout).toContain("only-here");
      expect((await inNode("host-b", "ls", folder)).stdout).not.toContain("only-here");
      expect(statSync(`${folder}/only-here`, { throwIfNoEntry: false })).toBeUndefined();
    }
    expect((await inNode("host-b", "cat", "/proc/sys/kernel/hostname")).stdout).toBe("host-b\n");
    const links = (await inNode("host-b", "ls", "/sys/class/net")).stdout.trim().split("\n");
    expect(links).toEqual(["eth0", "guests0", "lo"]);
  });

  test("lets one node reach into another", async () => {
    const nested = [...labNodePrefix(lab, "host-a"), ...labNodePrefix(lab, "client")];
    expect((await run([...nested, "cat", "/proc/sys/kernel/hostname"])).stdout).toBe("client\n");
    const command = [
      "sojourn",
      "lab",
      "exec",
      "host-b",
      "--",
      "sh",
      "-c",
      "echo $SOJOURN_LAB_NODE",
    ];
    expect((await exec("host-a", ...command)).stdout).toBe("host-b\n");
  });

  test("exec passes streams, arguments, exit status and signals", async () => {
    const argv = [sojourn, "lab", "exec", "--lab", lab, "client", "--"];
    const cat = await run([...argv, "cat"], { input: "in and out\n" });
    expect(cat).toMatchObject({ code: 0, stdout: "in and out\n", stderr: "" });
    const script = await exec(
      "client",
      "sh",
      "-c",
      'echo "$@" >&2; exit 37',
      "--",
      "a b",
      "--",
      "-c",
    );
    expect(script).toMatchObject({ code: 37, stderr: "a b -- -c\n" });
    expect((await exec("client", "no-such-command")).code).toBe(127);
    const killed = await run([...argv, "sh", "-c", "echo begun; exec sleep 60"], {
      onOutput: (_text, kill) => kill("SIGTERM"),
    });
    expect(killed).toMatchObject({ stdout: "begun\n", signal: "SIGTERM" });
  });

  test("exec refuses unknown nodes, labs and an empty command with typed errors", async () => {
    expect(await exec("host-z", "true")).toMatchObject({ code: 3, stderr: /SOJ_LAB_NODE_UNKNOWN/ });
    const other = await run([sojourn, "lab", "exec", "--lab", `${lab}x`, "client", "--", "true"]);
    expect(other).toMatchObject({ code: 3 });
    expect(other.stderr).toContain("SOJ_LAB_NOT_UP");
    expect((await exec("client")).code).toBe(2);
    const name = await run([sojourn, "lab", "exec", "--lab", "../x", "client", "--", "true"]);
    expect(name).toMatchObject({ code: 2, stderr: /SOJ_BAD_NAME/ });
  });

  test("cannot be removed or built from inside", async () => {
    for (const action of ["up", "down", "demo"]) {
      const answer = await exec("host-a", "sojourn", "lab", action, "--json");
      expect(answer.code).toBe(3);
      expect(JSON.parse(answer.stdout)).toMatchObject({ type: "error", code: "SOJ_LAB_INSIDE" });
    }
  });

  test("is built by one command at a time", async () => {
    await using _lock = await lockLab(lab);
    await expect(upLab({ lab, daemons: false })).rejects.toMatchObject({ code: "SOJ_LAB_BUSY" });
  });

  test("limits the hosts' links both ways, changes the limit, and takes it away", async () => {
    const limits = async () => {
      const ends = [["host-a", "eth0"] as const, ["router", "host-a"] as const];
      const found = ends.map(async ([node, device]) => {
        const shown = await inNode(node, "tc", "qdisc", "show", "dev", device, "root");
        return /tbf 7701: .*rate (\S+)/.exec(shown.stdout)?.[1] ?? "none";
      });
      return await Promise.all(found);
    };
    expect(await limits()).toEqual(["none", "none"]);
    await upLab({ lab, linkMbps: 300, daemons: false });
    await upLab({ lab, daemons: false });
    expect(await limits()).toEqual(["300Mbit", "300Mbit"]);
    await upLab({ lab, linkMbps: 50, daemons: false });
    expect(await limits()).toEqual(["50Mbit", "50Mbit"]);
    await upLab({ lab, linkMbps: 0, daemons: false });
    expect(await limits()).toEqual(["none", "none"]);
    await expect(upLab({ lab, linkMbps: 1e6 })).rejects.toMatchObject({ code: "SOJ_USAGE" });
  });

  test("up leaves what stands, repairs what does not, and adds hosts", async () => {
    const holders = () => labProcesses(lab).map(({ pid }) => pid);
    const standing = holders();
    await upLab({ lab, daemons: false });
    expect(holders()).toEqual(standing);

    const [victim] = labProcesses(lab).filter(({ node }) => node === "host-a");
    process.kill(victim?.pid as number, "SIGKILL");
    await runCommand("ip", ["netns", "del", `${lab}-router`]);
    await upLab({ lab, hosts: 3, daemons: false });
    expect(nodesOfLab(lab)).toContain("host-c");
    expect((await inNode("host-a", "ping", "-n", "-c1", "-W2", "10.3.0.1")).code).toBe(0);
  });
});

describe("down", () => {
  afterEach(async () => {
    await downLab(lab);
  });

  test("leaves nothing, and does nothing the second time", async () => {
    await upLab({ lab, hosts: 1, daemons: false });
    expect(footprintOf(lab)).not.toEqual(before);
    expect(await downLab(lab)).toMatchObject({ wasUp: true, namespaces: 3, processes: 3 });
    expect(footprintOf(lab)).toEqual(before);
    expect(await downLab(lab)).toMatchObject({ wasUp: false, processes: 0, namespaces: 0 });
  });

  test("finds processes that hide in namespaces made inside a node", async () => {
    await upLab({ lab, hosts: 1, daemons: false });
    await inNode("host-a", "ip", "netns", "add", "inner");
    const hidden = [
      "ip",
      "netns",
      "exec",
      "inner",
      "sh",
      "-c",
      "sleep 600 > /dev/null 2>&1 & echo $!",
    ];
    const pid = Number((await inNode("host-a", "setsid", ...hidden)).stdout);
    const hiding = identify(pid);
    expect(labProcesses(lab)).toContainEqual({ ...hiding, node: "host-a" });
    await downLab(lab);
    expect(footprintOf(lab)).toEqual(before);
    expect(isSameProcess(hiding)).toBe(false);
  });

  test("works after everything was killed with -9, and after the files were lost", async () => {
    await upLab({ lab, hosts: 1, daemons: false });
    for (const { pid } of labProcesses(lab)) process.kill(pid, "SIGKILL");
    await downLab(lab);
    expect(footprintOf(lab)).toEqual(before);

    await upLab({ lab, hosts: 1, daemons: false });
    await runCommand("rm", ["-r", `/run/sojourn-lab/${lab}`, `/var/lib/sojourn-lab/${lab}`]);
    await downLab(lab);
    expect(footprintOf(lab)).toEqual(before);
  });

  test("never touches a namespace that only has the name", async () => {
    await runCommand("ip", ["netns", "add", `${lab}-client`]);
    try {
      await expect(upLab({ lab, daemons: false })).rejects.toMatchObject({
        code: "SOJ_LAB_NAME_TAKEN",
        exitCode: 3,
      });
      expect(await downLab(lab)).toMatchObject({ wasUp: false });
      expect(footprintOf(lab).namespaces).toEqual([`${lab}-client`]);
    } finally {
      await runCommand("ip", ["netns", "del", `${lab}-client`]);
    }
  });
});
