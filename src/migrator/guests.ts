import type { GuestDefinition } from "../hypervisor/definition.ts";
import type { GuestInstance, Hypervisor } from "../hypervisor/hypervisor.ts";
import { firstAddress } from "../hypervisor/nic-addresses.ts";
import { startTimer } from "../platform/clock.ts";
import { preconditionError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import { checkName } from "../platform/names.ts";
import { persistently } from "../platform/retry.ts";
import { waitAtMost } from "../platform/waiting.ts";
import type { attachedPlaces } from "./anchor-procedures.ts";
import type { Anchors } from "./anchors.ts";
import { refuseDeparted } from "./departed.ts";
import { definedNames, readDefinition } from "./guest-definitions.ts";
import { isWorthRepeating } from "./guest-ended.ts";
import { type GuestActivity, placeOf, startConflict } from "./guest-place.ts";
import { recordAtHome } from "./home-record.ts";
import type { HostNetwork } from "./host-network.ts";
import { refuseAnchor } from "./host-role.ts";
import { type MaintenanceState, refuseMaintenance } from "./maintenance.ts";
import { attachmentOf, guestNetworkOf, type HostFacts } from "./network.ts";
import type { RecordStore } from "./record-store.ts";
import type { GuestRecord } from "./records.ts";
import { isSameStay, isStillEnded } from "./same-stay.ts";

/** How long after home could not be told of a guest's end it is told again. */
const tellAgainMs = 10_000;

/** The guests' processes on this host, by guest name. */
export class Guests {
  readonly #instances = new Map<string, GuestInstance>();
  readonly #host: HostFacts;
  readonly #hypervisor: Hypervisor;
  readonly #network: HostNetwork;
  readonly #records: RecordStore;
  readonly #definitionsFolder: string;
  readonly #anchors: Pick<Anchors, "place" | "undo"> | null;
  readonly #maintenance: MaintenanceState | undefined;
  readonly #logger: Logger;
  readonly #starting = new Set<string>();
  /** Called when a guest that no migration concerns has ended by itself or was stopped. */
  onEnded: (record: GuestRecord) => Promise<void> = async () => {};
  /** Called with every process that becomes a guest's on this host. */
  onAdopted: (instance: GuestInstance) => void = () => {};

  constructor(options: {
    host: HostFacts;
    hypervisor: Hypervisor;
    network: HostNetwork;
    records: RecordStore;
    definitionsFolder: string;
    /** For guests with addresses of other hosts', anchors; without it none is started. */
    anchors?: Pick<Anchors, "place" | "undo">;
    maintenance?: MaintenanceState;
    logger: Logger;
  }) {
    this.#host = options.host;
    this.#hypervisor = options.hypervisor;
    this.#network = options.network;
    this.#records = options.records;
    this.#definitionsFolder = options.definitionsFolder;
    this.#anchors = options.anchors ?? null;
    this.#maintenance = options.maintenance;
    this.#logger = options.logger;
  }

  get hypervisor(): Hypervisor {
    return this.#hypervisor;
  }

  /** All processes that are guests' on this host. */
  instances(): GuestInstance[] {
    return [...this.#instances.values()];
  }

  instance(guest: string): GuestInstance | undefined {
    return this.#instances.get(guest);
  }

  /** Lets go of all monitors; the processes go on. */
  async disconnect(): Promise<void> {
    const instances = [...this.#instances.values()];
    this.#instances.clear();
    await Promise.allSettled(instances.map((instance) => instance[Symbol.asyncDispose]()));
  }

  /** Makes `instance` the guest's process on this host and follows its end. */
  adopt(instance: GuestInstance): void {
    this.#instances.set(instance.guest, instance);
    this.onAdopted(instance);
    instance.ended
      .then(() => this.noteEnded(instance))
      .catch((error: unknown) =>
        this.#logger.error({ guest: instance.guest, err: error }, "not cleaned up after the guest"),
      );
  }

  /** The process is no longer the guest's (a source that was retired, a destination that aborted). */
  release(instance: GuestInstance): void {
    if (this.#instances.get(instance.guest) === instance) this.#instances.delete(instance.guest);
  }

  /**
   * Ends the guest's process here at once, as one that must not run; nothing else is cleaned up.
   * @throws SojournError `SOJ_HYPERVISOR_…` of one that cannot be ended now; it stays the guest's.
   */
  async end(guest: string): Promise<void> {
    const instance = this.#instances.get(guest);
    if (instance === undefined) return;
    this.release(instance);
    try {
      await instance.quit(0);
    } catch (error) {
      this.#instances.set(guest, instance);
      throw error;
    }
    await instance[Symbol.asyncDispose]();
  }

  /**
   * Boots a defined guest.
   * @throws SojournError `SOJ_GUEST_UNKNOWN`, `SOJ_GUEST_THERE` (it runs already), `SOJ_GUEST_BUSY`, `SOJ_GUEST_DEPARTED`,
   *   `SOJ_LIBVIRT_START` for one that libvirt starts, `SOJ_HOST_IS_ANCHOR`, `SOJ_HOST_MAINTENANCE`, `SOJ_GUEST_ADDRESS`, or
   *   what QEMU, the kernel and the anchor that owns its address refuse.
   */
  async start(name: string): Promise<void> {
    const known = this.#records.get(name);
    if (known !== undefined || this.#starting.has(name)) {
      if (known !== undefined) refuseDeparted(known);
      throw startConflict(name, known, this.#host.name, this.#activityOf(name));
    }
    refuseAnchor(this.#host, `${name} cannot be started`);
    const definition = this.definition(name);
    refuseMaintenance(this.#host, this.#maintenance, `${name} cannot be started`);
    if (definition.hypervisor === "libvirt") throw startedByLibvirt(name);
    this.#starting.add(name);
    try {
      await this.#boot(definition);
    } finally {
      this.#starting.delete(name);
    }
  }

  /** Where the guest is as far as this host knows, as the end of a sentence. */
  placeOf(name: string): string {
    return placeOf(this.#records.get(name), this.#host.name, this.#activityOf(name));
  }

  #activityOf(name: string): GuestActivity {
    if (this.#starting.has(name)) return "starting";
    return this.#instances.has(name) ? "running" : "none";
  }

  /** The home of a guest that is defined here and was not started: this host, or null for an anchor that is found then. */
  homeOf(definition: GuestDefinition): string | null {
    return isAtHome(this.#host, definition) ? this.#host.name : null;
  }

  /** Whether a guest of `home`'s, an anchor, is here, or just being started. */
  placeFor(name: string, home: string): (typeof attachedPlaces)[number] {
    if (this.#starting.has(name)) return "starting";
    const record = this.#records.get(name);
    return record?.hosting && record.home.host === home ? "here" : "none";
  }

  /** Until disposed nobody starts the guest, takes it in or lets it go. @throws SojournError `SOJ_GUEST_BUSY` */
  reserve(name: string): Disposable {
    if (this.#starting.has(name)) {
      throw startConflict(name, this.#records.get(name), this.#host.name, "starting");
    }
    this.#starting.add(name);
    return { [Symbol.dispose]: () => void this.#starting.delete(name) };
  }

  /**
   * Shuts a guest down in an orderly way, then, after `graceMs`, by ending its process.
   * @throws SojournError `SOJ_GUEST_NOT_HERE`, `SOJ_GUEST_BUSY` during a migration.
   */
  async stop(name: string, graceMs = 5_000): Promise<void> {
    const record = this.#records.get(name);
    const instance = this.#instances.get(name);
    if (record !== undefined && record.migration !== null) {
      throw preconditionError(
        "SOJ_GUEST_BUSY",
        `${name} is being migrated (${record.migration.id})`,
        {
          hint: `sojourn cancel ${record.migration.id}`,
        },
      );
    }
    if (instance === undefined) {
      if (record === undefined) this.definition(name);
      const away = record?.redirect ?? record?.departed;
      const hint = away
        ? `sojourn guest stop ${name}, on ${away.host}`
        : `sojourn guest show ${name}`;
      throw preconditionError("SOJ_GUEST_NOT_HERE", `${name} ${this.placeOf(name)}`, {
        hint,
      });
    }
    await instance.powerDown();
    await waitAtMost(graceMs, instance.ended);
    await instance.quit();
    await this.noteEnded(instance);
  }

  /** @throws SojournError `SOJ_GUEST_UNKNOWN` (404) when there is neither a definition nor a record. */
  definition(name: string): GuestDefinition {
    checkName("guest", name);
    const record = this.#records.get(name);
    if (record !== undefined) return record.definition;
    return readDefinition(this.#definitionsFolder, name, this.#host.name);
  }

  /** Names of all guests that are defined here or that this host knows a place of. */
  names(): string[] {
    const placed = this.#records.all().map((record) => record.guest);
    return [...new Set([...definedNames(this.#definitionsFolder), ...placed])].sort();
  }

  async #boot(definition: GuestDefinition): Promise<void> {
    const anchors = isAtHome(this.#host, definition) ? null : this.#anchors;
    const record = await (anchors?.place(definition) ?? this.#placeAtHome(definition));
    try {
      const { tap } = attachmentOf(this.#host, record);
      this.adopt(await this.#hypervisor.start(definition, [{ tapName: tap }]));
    } catch (error) {
      if (anchors !== null) await anchors.undo(record);
      else await this.#network.forget(definition.name);
      throw error;
    }
  }

  /** What is free is looked at and taken in one go: guests that arrive get addresses too. */
  async #placeAtHome(definition: GuestDefinition): Promise<GuestRecord> {
    const { routing } = this.#network;
    using _held = await this.#network.hold();
    const record = await recordAtHome(this.#host, definition, this.#records.all(), routing);
    await this.#network.changeWhileHeld(record);
    return record;
  }

  /** Cleans up after a process that ended; nothing while a migration owns the guest. */
  async noteEnded(instance: GuestInstance): Promise<void> {
    if (this.#instances.get(instance.guest) !== instance) return;
    const record = this.#records.get(instance.guest);
    if (record?.migration) return;
    this.#instances.delete(instance.guest);
    this.#logger.info({ guest: instance.guest, pid: instance.pid }, "guest has ended");
    if (record !== undefined) await this.#forget(record);
  }

  /** Cleans up after guests whose processes ended while nobody watched: a reboot, a daemon that was down. */
  async forgetEnded(): Promise<void> {
    for (const record of this.#records.all()) {
      const { guest, hosting, migration } = record;
      if (hosting === null || migration !== null || this.#starting.has(guest)) continue;
      if (this.#instances.get(guest)?.isAlive()) continue;
      this.#logger.warn({ guest }, "guest has ended while nobody watched");
      this.#instances.delete(guest);
      await this.#forget(record);
    }
  }

  /** Home hears of it first: it would send the guest's traffic here for ever, and could not start the guest again. */
  async #forget(record: GuestRecord): Promise<void> {
    const { guest } = record;
    try {
      await this.onEnded(record);
    } catch (error) {
      this.#logger.warn({ guest, err: error }, "home was not told of the guest's end");
      if (isWorthRepeating(error)) {
        startTimer(() => this.#forgetLater(record), tellAgainMs, false);
        return;
      }
    }
    const forgotten = await persistently(`forgetting ${guest}, which has ended`, this.#logger, () =>
      this.#network.forget(guest, (current = record) => isSameStay(current, record)),
    );
    const isLeft = !forgotten || this.#records.get(guest)?.hosting;
    if (isLeft) startTimer(() => this.#forgetLater(record), tellAgainMs, false);
  }

  #forgetLater(record: GuestRecord): void {
    const { guest } = record;
    const known = this.#records.get(guest) ?? record;
    if (this.#instances.has(guest) || this.#starting.has(guest)) return;
    if (!isStillEnded(known, record)) return;
    this.#forget(known).catch((error: unknown) =>
      this.#logger.error({ guest, err: error }, "not cleaned up after the guest"),
    );
  }
}

/** Its address is of this host's own networks; so is one without an address. */
function isAtHome(host: HostFacts, definition: GuestDefinition): boolean {
  const address = firstAddress(definition);
  return address === undefined || guestNetworkOf(host, address) !== undefined;
}

function startedByLibvirt(name: string) {
  return preconditionError("SOJ_LIBVIRT_START", `${name} is libvirt's, which starts it itself`, {
    guestState: "untouched",
    hint: `virsh start ${name}; it is a guest again as soon as it runs`,
  });
}
