import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AdoptionResult } from "../../src/client/index.ts";
import { killDaemon, restartDaemon } from "../../src/lab/daemon-process.ts";
import { downLab, labNodePrefix, upLab } from "../../src/lab/index.ts";
import { findLibvirtd, startLibvirtd } from "../../src/lab/libvirt/libvirtd.ts";
import { sendSignal, waitUntilGone } from "../../src/lab/process-control.ts";
import { labProcesses } from "../../src/lab/processes.ts";
import { daemonOf } from "../support/daemon-of.ts";
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

describe("the domain as a guest of Sojourn's", () => {
  const daemon = (host: string) => daemonOf(lab, host);
  const stateOf = async () => {
    const guests = await daemon("host-a").listGuests();
    return guests.map(({ name, state, adoptable }) => ({ name, state, adoptable }));
  };
  const adopt = (change: object = {}) =>
    daemon("host-a").adoptGuest({ name: "web1", libvirt: {}, to: ["host-b"], ...change });
  const verdicts = ({ checks }: AdoptionResult) =>
    checks.filter(({ result }) => result !== "ok").map(({ host, detail }) => `${host}: ${detail}`);

  test("is listed as one that could be adopted, and nothing else can be done with it", async () => {
    expect(await stateOf()).toEqual([{ name: "web1", state: "libvirt", adoptable: true }]);
    const request = { guest: "web1", to: "host-b" };
    await expect(daemon("host-a").startMigration(request)).rejects.toMatchObject({
      ...{ code: "SOJ_GUEST_UNKNOWN", hint: "sojourn guest adopt web1 --libvirt" },
    });
  });

  test("is proposed with what the other host says, and nothing is changed", async () => {
    const before = await virsh("host-a", "dumpxml", "web1");
    const proposal = await adopt({ dry_run: true });
    expect(verdicts(proposal)).toEqual([]);
    expect(proposal).toMatchObject({
      ...{ adopted: false, possible: true, tap: "lv-web1", bridge: "guests0" },
      checks: expect.arrayContaining([
        expect.objectContaining({ host: "host-b", subject: "machine" }),
      ]),
    });
    expect(proposal.definition).toContain(`addresses = [ "10.1.0.10/24" ]`);
    expect(await virsh("host-a", "dumpxml", "web1")).toBe(before);
    expect(await stateOf()).toMatchObject([{ state: "libvirt" }]);
  });

  test("is refused for a host that has another domain of its name, or takes in none", async () => {
    const namesake =
      "<domain type='qemu'><name>web1</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>";
    await inNode("host-b", "sh", "-c", `echo "${namesake}" > /run/namesake.xml`);
    await virsh("host-b", "define", "/run/namesake.xml");
    expect(verdicts(await adopt({ dry_run: true }))).toEqual([
      expect.stringMatching(/^host-b: libvirt has another domain web1 there/),
    ]);
    await virsh("host-b", "undefine", "web1");

    const config = "/etc/sojourn/sojourn.toml";
    await inNode("host-b", "sed", "-i", "s/^enabled = true/enabled = false/", config);
    await restartDaemon(lab, "host-b");
    await expect(adopt()).rejects.toMatchObject({
      ...{ code: "SOJ_ADOPTION_REFUSED", message: expect.stringContaining("SOJ_LIBVIRT_DISABLED") },
    });
    await inNode("host-b", "sed", "-i", "s/^enabled = false/enabled = true/", config);
    await restartDaemon(lab, "host-b");
  });

  test("is a guest whatever libvirt, the daemon and libvirtd do, until it is released", async () => {
    expect(await adopt()).toMatchObject({ adopted: true });
    const running = [{ name: "web1", state: "running", adoptable: undefined }];
    expect(await stateOf()).toEqual(running);

    await virsh("host-a", "destroy", "web1");
    await expect.poll(stateOf, { timeout: 5_000 }).toMatchObject([{ state: "stopped" }]);
    await expect(daemon("host-a").startGuest("web1")).rejects.toMatchObject({
      ...{ code: "SOJ_LIBVIRT_START", hint: expect.stringContaining("virsh start web1") },
    });
    await virsh("host-a", "start", "web1");
    await expect.poll(stateOf, { timeout: 10_000 }).toEqual(running);

    // Started anew while the daemon is down: it is found by the start of the next one.
    await killDaemon(lab, "host-a");
    await virsh("host-a", "reset", "web1");
    await restartDaemon(lab, "host-a");
    expect(await stateOf()).toEqual(running);

    const libvirtd = findLibvirtd(lab, "host-a");
    expect(libvirtd !== null && sendSignal(libvirtd, "SIGKILL")).toBe(true);
    await startLibvirtd(lab, "host-a");
    await expect.poll(stateOf, { timeout: 10_000 }).toEqual(running);

    expect(await daemon("host-a").releaseGuest("web1")).toMatchObject({ released: true });
    expect(await virsh("host-a", "domstate", "web1")).toBe("running");
    await expect.poll(stateOf, { timeout: 10_000 }).toMatchObject([{ state: "libvirt" }]);
  });
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
