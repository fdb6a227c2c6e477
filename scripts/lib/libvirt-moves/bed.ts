import { guestImage } from "../../../src/lab/guest-image.ts";
import { firstHost, guestName, waitForGuest } from "../../../src/lab/guests.ts";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { defineDomain, ensureDomainTap, startDomain } from "../../../src/lab/libvirt/domain.ts";
import { findLibvirtd } from "../../../src/lab/libvirt/libvirtd.ts";
import { sendSignal } from "../../../src/lab/process-control.ts";
import { runCommand } from "../../../src/platform/command.ts";
import type { MovingLab } from "../lab-moves.ts";
import type { Method, MethodName } from "./methods.ts";
import { moveRoutes, prepareRoutes } from "./route-script.ts";
import { sojournMethod } from "./sojourn-method.ts";
import { virshMethod } from "./virsh-method.ts";

export const hosts = ["host-a", "host-b"] as const;

/** Number of each method's guest: the lab itself makes the first two, the first as a domain. */
const numberOf: Readonly<Record<MethodName, number>> = { libvirt: 1, qemu: 2, hook: 3, script: 4 };
export const guestsOfLab = 2;

/** Makes a method's guest ready to be moved, in a lab with libvirt and `guestsOfLab` guests. */
export async function openMethod(moving: MovingLab, name: MethodName): Promise<Method> {
  const lab = moving.name;
  const number = numberOf[name];
  if (number > guestsOfLab) await startPlainDomain(moving, number);
  switch (name) {
    case "qemu":
      return sojournMethod(lab, name, number);
    case "libvirt":
      await adopt(lab, number);
      return sojournMethod(lab, name, number);
    case "hook":
      await adopt(lab, number);
      for (const host of hosts) await installHooks(lab, host);
      return virshMethod(lab, name, number);
    case "script":
      await prepareRoutes(lab, number);
      return virshMethod(lab, name, number, (_from, to) => moveRoutes(lab, number, to));
  }
}

/** One more domain like the lab's own. */
async function startPlainDomain({ name: lab, signal }: MovingLab, number: number): Promise<void> {
  for (const host of hosts) await ensureDomainTap(lab, host, guestName(number));
  const image = await guestImage(lab, {});
  await defineDomain(lab, number, image, { memoryMib: 128, append: "" });
  await startDomain(lab, firstHost, guestName(number));
  await waitForGuest(lab, number, signal);
}

async function adopt(lab: string, number: number): Promise<void> {
  const command = ["sojourn", "guest", "adopt", guestName(number), "--libvirt"];
  await inHost(lab, firstHost, command);
}

/** libvirtd looks for its first hook when it is told to read its files again. */
async function installHooks(lab: string, host: string): Promise<void> {
  await inHost(lab, host, ["sojourn", "libvirt", "install-hooks"]);
  const libvirtd = findLibvirtd(lab, host);
  if (libvirtd !== null) sendSignal(libvirtd, "SIGHUP");
}

async function inHost(lab: string, host: string, command: readonly string[]): Promise<void> {
  const [program, ...prefix] = labNodePrefix(lab, host) as [string, ...string[]];
  await runCommand(program, [...prefix, ...command], { timeoutMs: 60_000 });
}
