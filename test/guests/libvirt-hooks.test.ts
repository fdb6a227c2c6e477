import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MigrationReport } from "../../src/client/index.ts";
import { findLibvirtd } from "../../src/lab/libvirt/libvirtd.ts";
import { virsh } from "../../src/lab/libvirt/virsh.ts";
import { sendSignal } from "../../src/lab/process-control.ts";
import { daemonOf } from "../support/daemon-of.ts";
import { kernelState, TestLab } from "../support/lab.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";

const hosts = ["host-a", "host-b"] as const;

describe("a guest that virsh moves by hand, with the hook in place", () => {
  let lab: TestLab;

  beforeAll(async () => {
    lab = await TestLab.up(`lvhook${process.pid}`, ["--hosts", "2", "--libvirt"]);
    await lab.run("host-a", ["sojourn", "guest", "adopt", "web1", "--libvirt"]);
    for (const host of hosts) {
      const line = await lab.run(host, ["sojourn", "libvirt", "install-hooks"]);
      expect(line).toMatch(/qemu\.d\/sojourn: installed\n.*systemctl reload libvirtd/);
      const libvirtd = findLibvirtd(lab.name, host);
      expect(libvirtd !== null && sendSignal(libvirtd, "SIGHUP")).toBe(true);
    }
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("there and back: the session lives, the outage is told, nothing is left, and it is not started twice", async () => {
    await using session = await openSession(lab);
    // Slow enough to be looked at more than once while it is under way.
    const slowly = ["--bandwidth", "15"];
    const out = await followed("host-a", () => virshMigrate("host-a", "host-b", ...slowly));
    expect(out).toMatchObject({ guest: "web1", from: "host-a", to: "host-b" });
    const phases = out.timeline.map(({ phase }) => phase);
    expect(phases).toEqual(
      expect.arrayContaining(["prepared", "precopy", "stop", "route-change", "resume"]),
    );
    expect(out.blackout_ms).toBeGreaterThan(0);
    await moreEchoes(session, 50);
    expect(await places()).toEqual({ "host-a": "away", "host-b": "running" });

    const again = await virsh(lab.name, "host-a", ["start", "web1"], { acceptExitCodes: [1] });
    expect(again.stderr).toContain("web1 runs at host-b");

    const home = "qemu+tls://host-a/system?pkipath=/etc/libvirt/pki";
    await followed("host-b", () => virshMigrate("host-b", home, "--p2p"));
    const { sent, ...result } = await session.finish();
    expect(result).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
    expect(await places()).toEqual({ "host-a": "running", "host-b": "unknown" });
    const [home1, away1] = await Promise.all(hosts.map((host) => kernelState(lab, host)));
    expect(JSON.stringify([home1, away1])).not.toContain("10.1.0.10");
  });

  /** The report of the one migration that `work` leads to, as its source tells it. */
  async function followed(host: string, work: () => Promise<unknown>): Promise<MigrationReport> {
    const daemon = daemonOf(lab.name, host);
    const known = (await daemon.listMigrations({ guest: "web1" }, 100)).migrations.length;
    await work();
    const newest = async () => {
      const { migrations } = await daemon.listMigrations({ guest: "web1" }, 100);
      return migrations.length > known ? migrations[0] : undefined;
    };
    await expect.poll(async () => (await newest())?.state, { timeout: 15_000 }).toBe("completed");
    return await daemon.getReport((await newest())?.id ?? "");
  }

  async function virshMigrate(from: string, to: string, ...options: string[]): Promise<void> {
    await virsh(lab.name, from, ["migrate", "--live", ...options, "web1", to]);
  }

  async function places(): Promise<Record<string, string>> {
    const states = hosts.map(async (host) => {
      const guests = JSON.parse(await lab.run(host, ["sojourn", "guest", "ls", "--json"]));
      const web1 = guests.find(({ name }: { name: string }) => name === "web1");
      return [host, web1?.state ?? "unknown"] as const;
    });
    return Object.fromEntries(await Promise.all(states));
  }
});
