import { expect, test } from "vitest";
import { findLibvirtd, startLibvirtd } from "../../../src/lab/libvirt/libvirtd.ts";
import { virsh } from "../../../src/lab/libvirt/virsh.ts";
import { sendSignal, waitUntilGone } from "../../../src/lab/process-control.ts";
import { FaultLab, guest, hosts } from "./fault-lab.ts";
import { haltAt } from "./halted-migration.ts";
import type { CodePlace } from "./pause-point.ts";

type Host = (typeof hosts)[number];

/** Where a daemon stands when others die, and where the guest must be afterwards, if only one place is right. */
export interface LibvirtFault {
  stands: Host;
  at: CodePlace;
  /** Sojourn's daemons. */
  daemons?: readonly Host[];
  libvirtds?: readonly Host[];
  ends?: "home" | "away";
}

/**
 * Nobody thaws a guest but a libvirtd that runs: the start of the one that was killed, and of what it has to do before it
 * listens, is added to what may freeze it.
 */
const libvirtdRestartMs = 12_000;

/** A lab whose web1 is a domain of libvirt that Sojourn has taken in, at home after a move away, a session open. */
export async function upLibvirtLab(name: string): Promise<FaultLab> {
  const fault = await FaultLab.up(name, ["--libvirt"]);
  try {
    await fault.run("host-a", ["sojourn", "guest", "adopt", guest, "--libvirt"]);
    // The tap that it was started with stays libvirt's; at home again it is on one of Sojourn's.
    await fault.rememberAway();
    await fault.rememberKernel();
    await fault.expectDaemonsAsBefore();
    await fault.openSession();
  } catch (error) {
    await fault[Symbol.asyncDispose]();
    throw error;
  }
  return fault;
}

/** SIGKILL to a host's libvirtd; its guests' processes go on. */
export async function killLibvirtd(fault: FaultLab, host: string): Promise<void> {
  const libvirtd = findLibvirtd(fault.lab.name, host);
  if (libvirtd === null) throw new Error(`no libvirtd on ${host}`);
  fault.injected += 1;
  sendSignal(libvirtd, "SIGKILL");
  if (!(await waitUntilGone(libvirtd, 5_000))) throw new Error(`${host}: libvirtd does not end`);
}

export async function restartLibvirtd(fault: FaultLab, host: string): Promise<void> {
  if (findLibvirtd(fault.lab.name, host) === null) await startLibvirtd(fault.lab.name, host);
}

/** One libvirt says that the guest runs, the other that it does not. */
export async function expectOneDomainRuns(fault: FaultLab, place: "home" | "away"): Promise<void> {
  const states = hosts.map(async (host) => {
    const options = { acceptExitCodes: [1] };
    const { stdout } = await virsh(fault.lab.name, host, ["domstate", guest], options);
    return stdout.trim() || "unknown";
  });
  const wanted = place === "home" ? ["running", "unknown"] : ["shut off", "running"];
  expect(await Promise.all(states)).toEqual(wanted);
}

/** One test for each: what dies dies while a daemon stands there, all come back, and the guest runs once. */
export function testLibvirtFaults(
  lab: () => FaultLab,
  faults: readonly (readonly [string, LibvirtFault])[],
): void {
  test.each(faults)(
    "%s",
    async (_title, { stands, at, daemons = [], libvirtds = [], ends }) => {
      const fault = lab();
      fault.allowFreeze(3_000 + (libvirtds.length > 0 ? libvirtdRestartMs : 4_000));
      await using halted = await haltAt(fault, stands, at);
      for (const host of libvirtds) await killLibvirtd(fault, host);
      for (const host of daemons) await fault.kill(host);
      await halted.goOn();
      await Promise.all(libvirtds.map((host) => restartLibvirtd(fault, host)));
      await Promise.all(daemons.map((host) => fault.restart(host)));
      await halted.migration.ended.catch(() => {});
      const ended = await fault.expectSettled(halted.id);
      await expectOneDomainRuns(fault, "home");
      if (ends !== undefined) expect(ended).toBe(ends);
    },
    120_000,
  );
}
