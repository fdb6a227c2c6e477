import { preconditionError, type SojournError } from "../../platform/errors.ts";
import { checkIPv4 } from "../../platform/names.ts";
import { redirectMark } from "../desired.ts";
import { dumpFlows } from "./dump.ts";
import type { FlowTable, GuestFlow, InstalledFlows } from "./flow-table.ts";
import { forgetFlows } from "./forget.ts";
import { installFlows } from "./install.ts";
import { NetfilterNetlink } from "./netfilter.ts";
import type { TrackedFlow } from "./tracked-flow.ts";
import { isTrackingHere } from "./tracking.ts";

/** The kernel's connection tracking in this process's network namespace. */
export class KernelFlowTable implements FlowTable {
  readonly #netlink: NetfilterNetlink;

  constructor(netlink: NetfilterNetlink = new NetfilterNetlink({ timeoutMs: 5_000 })) {
    this.#netlink = netlink;
  }

  isTracking(): Promise<boolean> {
    return isTrackingHere(this.#netlink);
  }

  async read(address: string): Promise<TrackedFlow[]> {
    if (!(await this.isTracking())) throw untracked();
    return await dumpFlows(this.#netlink, address);
  }

  async install(
    address: string,
    flows: readonly GuestFlow[],
    { redirected }: { redirected: boolean },
  ): Promise<InstalledFlows> {
    checkIPv4("guest", address);
    return await installFlows(this.#netlink, address, flows, redirected ? redirectMark : 0);
  }

  forget(flows: readonly TrackedFlow[]): Promise<number> {
    return forgetFlows(this.#netlink, flows);
  }

  [Symbol.dispose](): void {
    this.#netlink[Symbol.dispose]();
  }
}

/** Lets through what it sees: the kernel tracks connections in a network namespace while some rule there asks for it. */
const trackingTable =
  "table ip tracking { chain forward { type filter hook forward priority 0; ct state established counter; }; }";

function untracked(): SojournError {
  return preconditionError(
    "SOJ_FLOWS_UNTRACKED",
    "this host tracks no connections: no rule of its firewall asks for it, or its kernel cannot (nf_conntrack)",
    {
      hint: `[flows] track = true has the daemon switch tracking on, as does any rule that looks at their state, for connections from then on: nft '${trackingTable}'`,
    },
  );
}
