import type { GuestDefinition } from "../../hypervisor/definition.ts";
import type { HostHypervisors } from "../../hypervisor/host-hypervisors.ts";
import { nicOfDomain } from "../../hypervisor/libvirt/adoption/proposal.ts";
import type {
  LibvirtHypervisor,
  RunningDomain,
  StartedDomain,
} from "../../hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import type { Adoptions } from "../../migrator/adoptions.ts";
import { departedFrom } from "../../migrator/departed.ts";
import type { Guests } from "../../migrator/guests.ts";
import { attachmentOf, guestNetworkOf, type HostFacts } from "../../migrator/network.ts";
import type { RecordStore } from "../../migrator/record-store.ts";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { namePattern } from "../../platform/names.ts";
import { retry } from "../../platform/retry.ts";
import { bridgeOf } from "../adoption/tap-facts.ts";

export interface ReturningGuestsOptions {
  host: HostFacts;
  guests: Pick<Guests, "names" | "definition" | "instance">;
  records: Pick<RecordStore, "get" | "subscribe">;
  adoptions: Pick<Adoptions, "takeBack" | "drop">;
  hypervisor: Pick<HostHypervisors, "adoptDomain" | "letGo">;
  libvirt: Pick<LibvirtHypervisor, "capabilities" | "domains" | "onDomainStarted">;
  logger: Logger;
  /** Stands in for `bridgeOf` in tests. */
  findBridge?: (tap: string) => Promise<string | null>;
}

/** For its end to be cleaned up after, where it was only started again, and for a libvirt that is restarted. */
const pace = { pauseMs: 1_000, longestPauseMs: 15_000, forMs: 60_000 };

/**
 * Guests that libvirt ends and starts at their home, where their definition says that they are its: as soon as they run
 * they are guests again, by nobody's command. Those that come by a migration are not its business.
 */
export class ReturningGuests implements AsyncDisposable {
  readonly #options: ReturningGuestsOptions;
  readonly #ended = new AbortController();
  readonly #subscriptions = new DisposableStack();
  readonly #takingIn = new Map<string, Promise<void>>();

  constructor(options: ReturningGuestsOptions) {
    this.#options = options;
  }

  /** From now on; those that run already are taken in too, as soon as libvirt answers. */
  begin(): void {
    const { libvirt, records } = this.#options;
    this.#subscriptions.defer(
      libvirt.onDomainStarted(({ name, how }) => {
        if (how !== "migrated") this.#takeIn(name, how);
      }),
    );
    // Whatever of it runs here when it is known to be nowhere any more.
    this.#subscriptions.use(
      records.subscribe((before, after) => {
        if (before !== undefined && after === undefined) this.#takeIn(before.guest, "found");
      }),
    );
    if (this.#definedNames().length > 0) this.#background("all", () => this.#takeInAll());
    // libvirt makes QEMU tell what it can when it is first asked, which takes seconds: before somebody waits for it.
    libvirt.capabilities().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscriptions.dispose();
    this.#ended.abort();
    await Promise.allSettled(this.#takingIn.values());
  }

  async #takeInAll(): Promise<void> {
    const { signal } = this.#ended;
    const domains = await retry(() => this.#options.libvirt.domains(), {
      ...{ pauseMs: 1_000, longestPauseMs: 15_000, signal },
    });
    for (const domain of domains) {
      await this.#dropReplaced(domain);
      this.#takeIn(domain.name, "found");
    }
  }

  /** A domain that was started anew while no daemon ran is on its own tap, and not on the one that it came home to. */
  async #dropReplaced({ name, facts }: RunningDomain): Promise<void> {
    const { host, guests, records, adoptions, hypervisor, logger } = this.#options;
    const [record, instance] = [records.get(name), guests.instance(name)];
    const nic = facts === null ? null : nicOfDomain(facts);
    if (!record?.hosting || record.migration || record.home.host !== host.name) return;
    if (instance?.definition.hypervisor !== "libvirt" || nic === null) return;
    const { tap } = attachmentOf(host, record);
    if (nic.device === tap) return;
    logger.warn({ guest: name, tap, found: nic.device }, "libvirt has started a guest anew");
    await adoptions.drop(instance, () => hypervisor.letGo(instance));
  }

  #takeIn(name: string, how: StartedDomain["how"]): void {
    if (this.#definitionOf(name) === null) return;
    this.#background(name, async () => {
      const { signal } = this.#ended;
      await retry(() => this.#attempt(name, how), { ...pace, signal, isFinal: isFinal });
    });
  }

  async #attempt(name: string, how: StartedDomain["how"]): Promise<void> {
    const { guests, records, libvirt, adoptions, hypervisor, logger } = this.#options;
    const definition = this.#definitionOf(name);
    const record = records.get(name);
    if (definition === null || record?.migration || guests.instance(name)?.isAlive()) return;
    const domains = await libvirt.domains();
    const domain = domains.find((each) => each.uuid === definition.uuid && each.name === name);
    if (domain === undefined) return this.#noteStrangers(definition, domains);
    const away = record?.redirect ?? departedFrom(record);
    if (away) {
      logger.error(
        { guest: name, host: away.host },
        "alarm: libvirt runs a guest here that is away at another host: end one of the two at once",
      );
      return;
    }
    const tap = await this.#tapOf(domain, definition);
    const { uuid } = domain;
    await adoptions.takeBack(definition, tap, () => hypervisor.adoptDomain({ definition, uuid }));
    logger.info({ guest: name, uuid, tap, how }, "guest of libvirt's taken in again");
  }

  /** A domain that was given another UUID, or another name, is the guest no more until somebody says so. */
  #noteStrangers({ name: guest, uuid }: GuestDefinition, domains: readonly RunningDomain[]): void {
    const stranger = domains.find((each) => each.name === guest || each.uuid === uuid);
    if (stranger === undefined) return;
    this.#options.logger.warn(
      { guest, uuid, found: { name: stranger.name, uuid: stranger.uuid } },
      "libvirt runs a domain with the guest's name or UUID that is not it; sojourn guest release, then adopt, if it is meant",
    );
  }

  /** @throws SojournError `SOJ_NO_TAP`, `SOJ_BRIDGE_MISSING` where it is not what its definition says */
  async #tapOf({ name, facts }: RunningDomain, definition: GuestDefinition): Promise<string> {
    const { host, findBridge = bridgeOf } = this.#options;
    const nic = facts === null ? null : nicOfDomain(facts);
    const [defined] = definition.nics;
    if (nic === null || nic.mac !== defined?.mac) {
      throw preconditionError(
        "SOJ_NO_TAP",
        `the domain ${name} has another NIC than its guest (${defined?.mac ?? "none"})`,
        { hint: `while it is shut off: sojourn guest release ${name}; then adopt it again` },
      );
    }
    const bridge = await findBridge(nic.device);
    const address = defined.addresses[0]?.split("/")[0] ?? "";
    if (bridge !== null && guestNetworkOf(host, address)?.bridge === bridge) return nic.device;
    throw preconditionError(
      "SOJ_BRIDGE_MISSING",
      `the tap ${nic.device} of ${name} is in ${bridge ?? "no bridge"}, not in its guest network's`,
      { hint: "put the domain's interface into the bridge of [[guest_networks]]" },
    );
  }

  /** Of a guest of libvirt's whose home is here; null for others. */
  #definitionOf(name: string): GuestDefinition | null {
    if (!namePattern.test(name)) return null;
    try {
      const definition = this.#options.guests.definition(name);
      return definition.hypervisor === "libvirt" ? definition : null;
    } catch {
      return null;
    }
  }

  #definedNames(): string[] {
    return this.#options.guests.names().filter((name) => this.#definitionOf(name) !== null);
  }

  /** One at a time for each guest. */
  #background(key: string, work: () => Promise<void>): void {
    if (this.#takingIn.has(key) || this.#ended.signal.aborted) return;
    const done = work()
      .catch((error: unknown) => {
        if (this.#ended.signal.aborted) return;
        this.#options.logger.error({ guest: key, err: error }, "guest of libvirt's not taken in");
      })
      .finally(() => this.#takingIn.delete(key));
    this.#takingIn.set(key, done);
  }
}

/** Those that another try would end with too. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof SojournError)) return true;
  return ["SOJ_NO_TAP", "SOJ_BRIDGE_MISSING", "SOJ_GUEST_ADDRESS"].includes(error.code);
}
