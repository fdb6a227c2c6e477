import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MigrationReport } from "../../src/client/index.ts";
import { findLibvirtd } from "../../src/lab/libvirt/libvirtd.ts";
import { virsh } from "../../src/lab/libvirt/virsh.ts";
import { sendSignal } from "../../src/lab/process-control.ts";
import { daemonOf } from "../support/daemon-of.ts";
import { kernelState, TestLab } from "../support/lab.ts";
import { openSession } from "./support/echo-session.ts";
import { move } from "./support/moves.ts";

const hosts = ["host-a", "host-b"] as const;

describe("a libvirt domain", () => {
  let lab: TestLab;

  beforeAll(async () => {
    lab = await TestLab.up(`libvirt${process.pid}`, ["--hosts", "2", "--libvirt"]);
    for (const options of [["--dry-run"], []]) {
      await lab.run("host-a", ["sojourn", "guest", "adopt", "web1", "--libvirt", ...options]);
    }
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  test("moves there and back: sessions whole, figures told, the kernels as before, its definition at home", async () => {
    const [before, definition] = [await kernels(), await definedAtHome()];
    await using session = await openSession(lab);
    const { report } = await move(lab, "host-a", "host-b", [
      ...["--probe", "tcp-echo:7@client", "--probe", "packet@client"],
    ]);
    expect(report).toMatchObject({
      ...{ guest: "web1", from: "host-a", to: "host-b", outcome: "completed" },
      probes: {
        tcp_echo: { broken: 0, rto: 0, outage_ms: expect.any(Number) },
        packet: { lost: 0, reordered: 0 },
      },
    });
    const { blackout_ms: blackoutMs, timeline = [], transferred_bytes: bytes } = report ?? {};
    expect(blackoutMs).toBeGreaterThan(0);
    expect(report?.probes.tcp_echo?.outage_ms).toBeGreaterThanOrEqual(blackoutMs ?? 0);
    expect(bytes).toBeGreaterThan(1_000_000);
    const phases = timeline.map(({ phase }) => phase);
    const told = ["stop", "route-change", "promise", "takeover", "resume", "completed"] as const;
    expect(phases).toEqual(expect.arrayContaining([...told]));
    const at = (phase: (typeof told)[number]) =>
      timeline.find((entry) => entry.phase === phase)?.at_ms ?? Number.NaN;
    expect(at("route-change")).toBeLessThan(at("resume"));
    expect(at("promise")).toBeLessThan(at("takeover"));
    expect(await domainStates()).toEqual({ "host-a": "shut off", "host-b": "running" });
    expect(await guestPlaces()).toEqual({ "host-a": "away", "host-b": "running" });

    await move(lab, "host-b", "host-a");
    const { sent, ...result } = await session.finish();
    expect(result).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
    expect(await domainStates()).toEqual({ "host-a": "running", "host-b": "unknown" });
    expect(await definedAtHome()).toBe(definition);
    expect(await kernels()).toEqual(before);
  });

  test("`sojourn migrate`, cancelled in the middle, leaves it running where it was, and libvirt free to move it", async () => {
    const before = await kernels();
    await using session = await openSession(lab);
    const daemon = daemonOf(lab.name, "host-a");
    const { id } = await daemon.startMigration({ guest: "web1", to: "host-b" });
    const state = async () => (await daemon.getMigration(id)).state;
    await expect.poll(state, { timeout: 20_000, interval: 10 }).toBe("precopy");
    await daemon.cancelMigration(id);
    await expect.poll(state, { timeout: 20_000, interval: 50 }).toBe("cancelled");
    expect(await domainStates()).toEqual({ "host-a": "running", "host-b": "unknown" });
    const job = await virsh(lab.name, "host-a", ["domjobinfo", "web1"]);
    expect(job.stdout).toMatch(/Job type: +None/);
    expect(await kernels()).toEqual(before);
    const { sent, ...result } = await session.finish();
    expect(result).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
  });

  if (process.env.SOJOURN_FAULTS_ALL) {
    test("virsh moves it by hand, with the hook in place: the session lives, and it is not started twice", async () => {
      for (const host of hosts) {
        const line = await lab.run(host, ["sojourn", "libvirt", "install-hooks"]);
        expect(line).toMatch(/qemu\.d\/sojourn: installed\n.*systemctl reload libvirtd/);
        const libvirtd = findLibvirtd(lab.name, host);
        expect(libvirtd !== null && sendSignal(libvirtd, "SIGHUP")).toBe(true);
      }
      const before = await kernels();
      await using session = await openSession(lab);
      // Slow enough to be looked at more than once while it is under way.
      const away = await followed("host-a", ["--bandwidth", "15", "host-b"]);
      const phases = away.timeline.map(({ phase }) => phase);
      const seen = ["prepared", "precopy", "stop", "route-change", "resume", "takeover"] as const;
      expect(phases).toEqual(expect.arrayContaining([...seen]));
      expect(away.blackout_ms).toBeGreaterThan(0);
      expect(await guestPlaces()).toEqual({ "host-a": "away", "host-b": "running" });
      const again = await virsh(lab.name, "host-a", ["start", "web1"], { acceptExitCodes: [1] });
      expect(again.stderr).toContain("web1 runs at host-b");

      await followed("host-b", ["--p2p", "qemu+tls://host-a/system?pkipath=/etc/libvirt/pki"]);
      const { sent, ...result } = await session.finish();
      expect(result).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
      expect(await domainStates()).toEqual({ "host-a": "running", "host-b": "unknown" });
      expect(await kernels()).toEqual(before);
    });
  }

  /** The report of the migration that `virsh migrate` led to, as the guest's host tells it. */
  async function followed(from: string, [...to]: string[]): Promise<MigrationReport> {
    const daemon = daemonOf(lab.name, from);
    const known = (await daemon.listMigrations({}, 100)).migrations.length;
    await virsh(lab.name, from, ["migrate", "--live", "web1", ...to]);
    const followedNow = async () => {
      const { migrations } = await daemon.listMigrations({}, 100);
      return migrations.length > known ? migrations[0] : undefined;
    };
    await expect
      .poll(async () => (await followedNow())?.state, { timeout: 15_000 })
      .toBe("completed");
    return await daemon.getReport((await followedNow())?.id ?? "");
  }

  /** Without taps: the one that it was started with stays libvirt's, and at home again it is on one of Sojourn's. */
  async function kernels(): Promise<Record<string, string[]>> {
    const states = hosts.map(async (host) => {
      const lines = Object.values(await kernelState(lab, host))
        .join("\n")
        .split("\n");
      return [host, lines.filter((line) => !/\b(lv-web1|sjp[0-9a-f]+)\b/.test(line))] as const;
    });
    return Object.fromEntries(await Promise.all(states));
  }

  /** What each host's libvirt says of it. */
  async function domainStates(): Promise<Record<string, string>> {
    const states = hosts.map(async (host) => {
      const options = { acceptExitCodes: [1] };
      const { exitCode, stdout } = await virsh(lab.name, host, ["domstate", "web1"], options);
      return [host, exitCode === 0 ? stdout.trim() : "unknown"] as const;
    });
    return Object.fromEntries(await Promise.all(states));
  }

  async function guestPlaces(): Promise<Record<string, string>> {
    const states = hosts.map(async (host) => {
      const guests = await daemonOf(lab.name, host).listGuests();
      const web1 = guests.find(({ name }) => name === "web1");
      return [host, web1?.state ?? "unknown"] as const;
    });
    return Object.fromEntries(await Promise.all(states));
  }

  async function definedAtHome(): Promise<string> {
    return (await virsh(lab.name, "host-a", ["dumpxml", "--inactive", "web1"])).stdout;
  }
});
