import { preconditionError } from "../platform/errors.ts";
import type { HostFacts } from "./network.ts";
import { contains } from "./subnet.ts";

/** What a host is for: running guests, or owning the addresses of guests that run at other hosts. */
export const hostRoles = ["host", "anchor"] as const;

export type HostRole = (typeof hostRoles)[number];

/** What a host says of itself: its role, and the subnets of its guest networks. */
export interface HostClaim {
  role: HostRole;
  guestSubnets: readonly string[];
}

/** Whether that is an anchor of `address`. Pure. */
export function isAnchorOf({ role, guestSubnets }: HostClaim, address: string): boolean {
  return role === "anchor" && guestSubnets.some((subnet) => contains(subnet, address));
}

/** @throws SojournError `SOJ_HOST_IS_ANCHOR` where no guest may run; `what` would have one run there, as a sentence. */
export function refuseAnchor(host: Pick<HostFacts, "name" | "role">, what: string): void {
  if (host.role === "anchor") throw anchorError(host.name, what);
}

/** Says that `anchor` runs no guests. */
export function anchorError(anchor: string, what: string) {
  return preconditionError(
    "SOJ_HOST_IS_ANCHOR",
    `${what}: ${anchor} is an anchor, which runs no guests`,
    {
      guestState: "untouched",
      hint: `choose a host whose role is not "anchor": sojourn host ls`,
    },
  );
}
