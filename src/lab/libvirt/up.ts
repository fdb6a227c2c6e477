import type { GuestImage } from "../guest-image.ts";
import { firstHost, type GuestOptions, guestName, type UpGuest } from "../guests.ts";
import { hostNames } from "../layout.ts";
import { defineDomain, ensureDomainTap, findDomain, startDomain } from "./domain.ts";
import { ensureLibvirtd } from "./libvirtd.ts";

/** Number of the guest that is a libvirt domain, in a lab with libvirt. */
export const domainNumber = 1;

/** A libvirtd on every host, and the domain's tap, so that plain virsh can move it. */
export async function runLibvirt(lab: string, hosts: number): Promise<void> {
  await Promise.all(
    hostNames(hosts).map(async (host) => {
      await ensureLibvirtd(lab, host, hosts);
      await ensureDomainTap(lab, host, guestName(domainNumber));
    }),
  );
}

/** Defines and starts the domain on the first host, unless it runs on one; calls back before it starts it. */
export async function runDomain(
  lab: string,
  hosts: number,
  image: GuestImage,
  options: GuestOptions,
  onStart: () => void,
): Promise<UpGuest> {
  const name = guestName(domainNumber);
  const found = await findDomain(lab, hosts, name);
  if (found !== null && found.state !== "shut off") {
    return { ...found, isAway: found.host !== firstHost };
  }
  await defineDomain(lab, domainNumber, image, options);
  onStart();
  await startDomain(lab, firstHost, name);
  return { host: firstHost, state: "running", isAway: false };
}
