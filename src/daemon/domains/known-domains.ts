import type {
  LibvirtHypervisor,
  RunningDomain,
} from "../../hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import type { Guests } from "../../migrator/guests.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import { monotonicMs } from "../../platform/clock.ts";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import { waitAtMost } from "../../platform/waiting.ts";
import type { GuestSummary } from "../services.ts";

export interface KnownDomainsOptions {
  hostName: string;
  libvirt: Pick<LibvirtHypervisor, "domains" | "onDomainStarted">;
  guests: Pick<Guests, "names" | "instances">;
  records: Pick<RecordStore, "all">;
  /** While it says yes, libvirt is not asked for lists. */
  isGuestStanding: () => boolean;
}

/** How old a list may be that nobody waits for a newer one of. */
const freshForMs = 5_000;
/** How long a caller waits for a libvirt that is slow. */
const patienceMs = 500;

/**
 * The domains of this host's libvirt that run and are no guests yet. What was known last is told when libvirt does not
 * answer in time.
 */
export class KnownDomains implements Disposable {
  readonly #options: KnownDomainsOptions;
  readonly #unsubscribe: () => void;
  #latest: readonly RunningDomain[] = [];
  #readMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | null = null;

  constructor(options: KnownDomainsOptions) {
    this.#options = options;
    this.#unsubscribe = options.libvirt.onDomainStarted(() => this.#outdate());
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  async summaries(): Promise<GuestSummary[]> {
    await this.#refresh();
    const { guests, records, hostName } = this.#options;
    const known = new Set([
      ...guests.names(),
      ...records.all().map(({ definition }) => definition.uuid),
      ...guests.instances().map(({ definition }) => definition.uuid),
    ]);
    return this.#latest
      .filter(({ name, uuid }) => !known.has(name) && !known.has(uuid))
      .map((domain) => summaryOf(domain, hostName));
  }

  /** The error with what to do where the guest that is not known is a domain that runs here. */
  async explain(name: string, error: unknown): Promise<unknown> {
    if (!(error instanceof SojournError) || error.code !== "SOJ_GUEST_UNKNOWN") return error;
    const found = (await this.summaries()).some((domain) => domain.name === name);
    if (!found) return error;
    const message = `${name} is a domain of ${this.#options.hostName}'s libvirt, and no guest yet`;
    return preconditionError("SOJ_GUEST_UNKNOWN", message, {
      httpStatus: 404,
      hint: `sojourn guest adopt ${name} --libvirt`,
    });
  }

  #outdate(): void {
    this.#readMs = Number.NEGATIVE_INFINITY;
  }

  async #refresh(): Promise<void> {
    if (monotonicMs() - this.#readMs < freshForMs || this.#options.isGuestStanding()) return;
    this.#reading ??= this.#read().finally(() => {
      this.#reading = null;
    });
    await waitAtMost(patienceMs, this.#reading);
  }

  async #read(): Promise<void> {
    const beganMs = monotonicMs();
    try {
      this.#latest = await this.#options.libvirt.domains();
      this.#readMs = beganMs;
    } catch (error) {
      // Nothing is known any more of the domains of a libvirt that is away.
      if (!(error instanceof SojournError)) throw error;
    }
  }
}

function summaryOf({ name, facts }: RunningDomain, host: string): GuestSummary {
  return {
    ...{ name, state: "libvirt", host, home: host, addresses: [] },
    ...{ renumbered: null, redirect: null },
    memory_mib: facts === null ? 0 : Math.ceil(facts.memory.bytes / 1024 ** 2),
    vcpus: facts?.processor.vcpus ?? 0,
    ...{ migration: null, in_doubt: false, since_ms: null, error: null },
    adoptable: true,
  };
}
