import type { LibvirtHypervisor } from "../hypervisor/libvirt/driver/libvirt-hypervisor.ts";

/** How a host comes to know a guest's process that libvirt has made for a migration which others began. */
export type FollowedDomains = Pick<LibvirtHypervisor, "adoptDomain" | "onDomainStarted">;
