import { preconditionError } from "../platform/errors.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { Logger } from "../platform/log.ts";
import { redirectMark } from "../routing/desired.ts";
import type { FlowTable, InstalledFlows } from "../routing/flows/flow-table.ts";
import { guestFlow } from "../routing/flows/guest-flow.ts";
import type { TrackedFlow } from "../routing/flows/tracked-flow.ts";
import { isTrackedBarrier } from "./barrier-address.ts";
import { fromCarriedFlow, toCarriedFlow } from "./carried-flow.ts";
import { flowKey, isReset } from "./flow-ledger.ts";
import { type CarriedFlow, mostCarriedFlows } from "./flow-procedures.ts";
import type { HostContext } from "./host-context.ts";
import { attachmentOf } from "./network.ts";
import { readTracked } from "./read-tracked.ts";

/** Some ten megabytes. */
const leastPruned = 100_000;

/** The flows of a guest that is to arrive: known here before it is, and forgotten if it does not come. */
export class ArrivingFlows {
  readonly #context: Pick<HostContext, "host" | "records" | "flows">;
  readonly #identity: { id: string; guest: string };
  readonly #logger: Logger;
  readonly #oneAtATime = new AsyncLock();
  /** What this host has tracked by itself before; null before anything was carried. */
  #own: ReadonlySet<string> | null = null;
  #carried: Set<string> = new Set();
  /** When so many are remembered, those that the kernel has forgotten by then are. */
  #mostCarried = leastPruned;
  #isOver = false;

  constructor(
    context: Pick<HostContext, "host" | "records" | "flows">,
    identity: { id: string; guest: string },
    logger: Logger,
  ) {
    this.#context = context;
    this.#identity = identity;
    this.#logger = logger;
  }

  /**
   * Makes the kernel track them, in turn. A host whose kernel tracks nothing refuses them all, as `UNTRACKED`.
   * @throws SojournError `SOJ_MIGRATION_OVER` once they were forgotten; `SOJ_NETLINK_…`.
   */
  async install(carried: readonly CarriedFlow[]): Promise<InstalledFlows> {
    return await this.#oneAtATime.run(async () => {
      const { address, atHome } = this.#attachment();
      const { flows: table } = this.#context;
      const own = this.#own ?? (await readKeys(table, address));
      // Entries that nobody asks for would only be left over.
      if (own === null) return { installed: 0, present: 0, refused: { UNTRACKED: carried.length } };
      this.#own = own;
      if (this.#carried.size >= this.#mostCarried) await this.#prune(address);
      const flows = carried.map(fromCarriedFlow);
      for (const flow of flows) this.#carried.add(flowKey(flow));
      // To and from a guest that is away they go on through its home.
      return await table.install(address, flows, { redirected: !atHome });
    });
  }

  /** Those that somebody has reset, as far as this host has seen it; only as many of them as go into an answer. */
  async reset(): Promise<CarriedFlow[]> {
    const { address } = this.#attachment();
    const flows = await this.#context.flows.read(address);
    const reset = flows.filter(isReset).slice(0, mostCarriedFlows);
    return reset.map((flow) => toCarriedFlow(guestFlow(address, flow)));
  }

  /** The guest does not come. Never throws: entries that are left expire. */
  async forget(): Promise<void> {
    this.#isOver = true;
    const { flows: table } = this.#context;
    await this.#oneAtATime.run(async () => {
      try {
        const place = this.#place();
        if (place === null) return;
        const { address, atHome } = place;
        const flows = (await readTracked(table, address)) ?? [];
        await table.forget(flows.filter((flow) => this.#isCarried(flow, address, atHome)));
      } catch (error) {
        this.#logger.warn({ err: error }, "carried flows are left here until they expire");
      }
    });
  }

  /** A source may go on for ever; what the kernel has room for bounds what there is to forget. */
  async #prune(address: string): Promise<void> {
    const known = (await readKeys(this.#context.flows, address)) ?? new Set();
    this.#carried = this.#carried.intersection(known);
    this.#mostCarried = 2 * this.#carried.size + leastPruned;
  }

  /** And the readiness barrier's. What an earlier daemon has installed for a guest that is away from home has the redirect's mark. */
  #isCarried(flow: TrackedFlow, address: string, atHome: boolean): boolean {
    if (isTrackedBarrier(flow)) return true;
    const key = keyOf(address, flow);
    if (this.#own !== null) return this.#carried.has(key) && !this.#own.has(key);
    return !atHome && (flow.mark & redirectMark) !== 0;
  }

  #attachment() {
    const place = this.#isOver ? null : this.#place();
    if (place !== null) return place;
    const { id } = this.#identity;
    const message = `migration ${id} is over at ${this.#context.host.name}`;
    throw preconditionError("SOJ_MIGRATION_OVER", message);
  }

  /** Null when the guest's record is not this migration's. */
  #place() {
    const { host, records } = this.#context;
    const record = records.get(this.#identity.guest);
    return record?.migration?.id === this.#identity.id ? attachmentOf(host, record) : null;
  }
}

async function readKeys(table: FlowTable, address: string): Promise<Set<string> | null> {
  const flows = await readTracked(table, address);
  return flows && new Set(flows.map((flow) => keyOf(address, flow)));
}

function keyOf(address: string, flow: TrackedFlow): string {
  return flowKey(guestFlow(address, flow));
}
