import { afterAll, beforeAll, expect, test } from "vitest";
import { downLab, labNodePrefix, upLab } from "../../src/lab/index.ts";
import { findLibvirtd, startLibvirtd } from "../../src/lab/libvirt/libvirtd.ts";
import { sendSignal, waitUntilGone } from "../../src/lab/process-control.ts";
import { labProcesses } from "../../src/lab/processes.ts";
import { footprintOf } from "./lab-support/footprint.ts";
import { run } from "./lab-support/run.ts";

const lab = `sjlv${process.pid}`;
const before = { ...footprintOf(lab), shared: [] };
const inNode = (node: string, ...command: string[]) =>
  run([...labNodePrefix(lab, node), ...command]);
const virsh = async (node: string, ...args: string[]) => {
  const { code, stdout, stderr } = await inNode(node, "virsh", "--quiet", ...args);
  expect(code, `${node}: virsh ${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout.trim();
};

beforeAll(async () => {
  await upLab({ lab, hosts: 2, libvirt: true });
});

afterAll(async () => {
  await downLab(lab);
});

test("web1 is a domain of plain libvirt on host-a, and the client reaches it", async () => {
  expect(await virsh("host-a", "list", "--name")).toBe("web1");
  expect(await virsh("host-b", "list", "--all", "--name")).toBe("");
  const ping = await inNode("client", "ping", "-n", "-c1", "-W2", "10.1.0.10");
  expect(ping.code, ping.stdout + ping.stderr).toBe(0);
  const found = await upLab({ lab });
  expect(found.guests).toEqual([{ name: "web1", address: "10.1.0.10", host: "host-a" }]);
});

test("virsh alone moves it there and back, past a libvirtd that was killed and one that was restarted", async () => {
  await virsh("host-a", "migrate", "--live", "web1", "host-b");
  expect(await virsh("host-b", "domstate", "web1")).toBe("running");
  expect(await virsh("host-a", "domstate", "web1")).toBe("shut off");

  const libvirtd = findLibvirtd(lab, "host-b");
  expect(libvirtd !== null && sendSignal(libvirtd, "SIGKILL")).toBe(true);
  expect(libvirtd !== null && (await waitUntilGone(libvirtd, 5_000))).toBe(true);
  await startLibvirtd(lab, "host-b");
  expect(await virsh("host-b", "domstate", "web1")).toBe("running");

  const home = "qemu+tls://host-a/system?pkipath=/etc/libvirt/pki";
  await virsh("host-b", "migrate", "--live", "--p2p", "web1", home);
  expect(await virsh("host-b", "list", "--all", "--name")).toBe("");
  const ping = await inNode("client", "ping", "-n", "-c1", "-W2", "10.1.0.10");
  expect(ping.code, ping.stdout + ping.stderr).toBe(0);
});

test("down leaves nothing, also of libvirtd, after everything was killed with -9", async () => {
  for (const { pid } of labProcesses(lab)) process.kill(pid, "SIGKILL");
  await downLab(lab);
  expect(footprintOf(lab)).toEqual(before);
});
