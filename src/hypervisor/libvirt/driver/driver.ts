import { startTimer } from "../../../platform/clock.ts";
import { preconditionError } from "../../../platform/errors.ts";
import type { GuestDefinition } from "../../definition.ts";
import type { GuestInstance, NicAttachment, StreamOffer } from "../../hypervisor.ts";
import { readDomain } from "../domain-xml/read-domain.ts";
import type { LifecycleMessage } from "../rpc/events/domain-events.ts";
import { versionText } from "../rpc/handshake.ts";
import { connectGetCapabilities, connectGetVersion } from "../rpc/procedures/connect.ts";
import { domainGetXmlDesc, domainLookupByUuid } from "../rpc/procedures/domains.ts";
import { adoptedRecord, consoleOf } from "./adopted-record.ts";
import { arrivalOf } from "./arrival-description.ts";
import { endOf, startOf } from "./domain-end.ts";
import { disconnectedError, goneError, isNoDomain } from "./errors.ts";
import { DomainInstance, type InstanceContext } from "./instance.ts";
import {
  type InstanceRecord,
  newInstanceId,
  readRecords,
  removeRecord,
  writeRecord,
} from "./instance-record.ts";
import type {
  AdoptedDomain,
  LibvirtCapabilities,
  LibvirtHypervisor,
  LibvirtHypervisorOptions,
  RunningDomain,
  StartedDomain,
} from "./libvirt-hypervisor.ts";
import { LibvirtLink } from "./link.ts";
import { activeDomains, runningDomains } from "./running-domains.ts";

/** libvirt asks QEMU for them, or looks for its files. */
const slowCall = { timeoutMs: 30_000 };
/** Nothing is written while the guest stands: that it has arrived shows in libvirt's state too. */
const recordLaterMs = 1_000;

/** Guests that are domains of this machine's libvirt. One such object per run folder. */
export function createLibvirtHypervisor(options: LibvirtHypervisorOptions): LibvirtHypervisor {
  return new LibvirtDriver(options);
}

class LibvirtDriver implements LibvirtHypervisor {
  readonly #options: LibvirtHypervisorOptions;
  readonly #link: LibvirtLink;
  readonly #context: InstanceContext;
  readonly #records = new Map<DomainInstance, InstanceRecord>();
  readonly #listeners = new Set<(domain: StartedDomain) => void>();

  constructor(options: LibvirtHypervisorOptions) {
    const { logger, sockets, stream, ports = null } = options;
    this.#options = options;
    this.#link = new LibvirtLink({
      logger,
      ...(sockets === undefined ? {} : { sockets }),
      onLifecycle: (message) => this.#noteLifecycle(message),
      onMonitor: (message, receivedMs) =>
        this.#find(message.domain.uuid)?.noteMonitorEvent(message, receivedMs),
      onConnected: (isFirst) => this.#catchUp(isFirst),
      onLost: (reason) => {
        for (const instance of this.#records.keys()) instance.noteDisconnected(reason);
      },
    });
    this.#context = {
      ...{ link: this.#link, logger, stream, ports },
      onArrived: (instance) => this.#recordArrival(instance),
      onDispose: (instance) => void this.#records.delete(instance),
    };
  }

  get isConnected(): boolean {
    return this.#link.isConnected;
  }

  async capabilities(): Promise<LibvirtCapabilities> {
    const [{ version }, { capabilities }] = await Promise.all([
      this.#link.call(connectGetVersion, {}, slowCall),
      this.#link.call(connectGetCapabilities, {}, slowCall),
    ]);
    return {
      version: versionText(version),
      accelerator: /<domain type=['"]kvm['"]/.test(capabilities) ? "kvm" : "tcg",
      libvirtVersion: this.#link.version ?? "",
    };
  }

  async start(definition: GuestDefinition): Promise<GuestInstance> {
    throw preconditionError(
      "SOJ_LIBVIRT_START",
      `${definition.name} is a domain of libvirt's, which starts it; it was not started`,
      { hint: `virsh start ${definition.name}` },
    );
  }

  async startIncoming(
    definition: GuestDefinition,
    nics: readonly NicAttachment[],
    offer?: StreamOffer,
  ): Promise<GuestInstance> {
    const arrival = arrivalOf(definition, nics, offer);
    this.#refuseSecond(definition.name, arrival.uuid);
    const record: InstanceRecord = {
      version: 1,
      instance_id: newInstanceId(),
      definition,
      ...{ domain_name: arrival.name, uuid: arrival.uuid },
      taps: nics.map(({ tapName }) => tapName),
      console: consoleOf(readDomain(arrival.xml)),
      ...{ incoming: true, arrived: false },
    };
    await this.#link.start();
    if (!this.#link.isConnected) throw disconnectedError(null);
    await writeRecord(this.#options.runDir, record);
    return this.#add(record, new DomainInstance(record, this.#context, { arrival }));
  }

  async findInstances(): Promise<GuestInstance[]> {
    const { runDir, logger } = this.#options;
    await this.#link.start();
    const records = await readRecords(runDir, (path, error) =>
      logger.error({ path, err: error }, "damaged record of a domain"),
    );
    const active = this.#link.isConnected ? await this.#activeUuids() : null;
    const found: GuestInstance[] = [];
    for (const record of records) {
      const known = this.#find(record.uuid);
      if (known !== undefined) found.push(known);
      else if (active === null || active.has(record.uuid)) found.push(await this.#attach(record));
      else {
        const guest = record.definition.name;
        logger.warn({ guest, uuid: record.uuid }, "a domain that was left running has ended");
        await removeRecord(runDir, guest);
      }
    }
    return found;
  }

  async adoptDomain(adopted: AdoptedDomain): Promise<DomainInstance> {
    const guest = adopted.definition.name;
    const known = this.#find(adopted.uuid);
    if (known?.guest === guest) return known;
    this.#refuseSecond(guest, adopted.uuid);
    const facts = readDomain(await this.#xmlOf(guest, adopted.uuid));
    const record = adoptedRecord(adopted, facts);
    const instance = new DomainInstance(record, this.#context);
    this.#records.set(instance, record);
    try {
      await instance.catchUp();
      await writeRecord(this.#options.runDir, record);
      return this.#add(record, instance);
    } catch (error) {
      this.#records.delete(instance);
      throw error;
    }
  }

  async letGo(instance: GuestInstance): Promise<void> {
    await removeRecord(this.#options.runDir, instance.guest);
    await instance[Symbol.asyncDispose]();
  }

  domains(): Promise<RunningDomain[]> {
    return runningDomains(this.#link);
  }

  onDomainStarted(listener: (domain: StartedDomain) => void): () => void {
    const own = (domain: StartedDomain) => listener(domain);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const instance of [...this.#records.keys()]) await instance[Symbol.asyncDispose]();
    await this.#link[Symbol.asyncDispose]();
  }

  /** A domain that libvirt does not tell of yet is still a guest: it is handed out, and asked for again. */
  async #attach(record: InstanceRecord): Promise<DomainInstance> {
    const found = new DomainInstance(record, this.#context, { isFound: true });
    const instance = this.#add(record, found);
    await instance.catchUp().catch((error: unknown) => {
      this.#options.logger.warn(
        { guest: instance.guest, err: error },
        "its state is not known yet",
      );
    });
    return instance;
  }

  #add(record: InstanceRecord, instance: DomainInstance): DomainInstance {
    this.#records.set(instance, record);
    instance.ended
      .then(() => this.#forget(instance))
      .catch((error) => this.#options.logger.warn({ err: error }, "record not removed"));
    return instance;
  }

  async #forget(instance: DomainInstance): Promise<void> {
    const isLatest = this.#latestOf(instance.guest) === instance;
    this.#records.delete(instance);
    if (isLatest) await removeRecord(this.#options.runDir, instance.guest);
  }

  #recordArrival(instance: DomainInstance): void {
    const record = this.#records.get(instance);
    if (record === undefined) return;
    const arrived = { ...record, arrived: true };
    this.#records.set(instance, arrived);
    const write = () => {
      if (this.#latestOf(instance.guest) !== instance) return;
      writeRecord(this.#options.runDir, arrived).catch((error: unknown) =>
        this.#options.logger.warn(
          { guest: instance.guest, err: error },
          "its arrival is not recorded",
        ),
      );
    };
    startTimer(write, recordLaterMs, false);
  }

  #latestOf(guest: string): DomainInstance | undefined {
    return [...this.#records.keys()].findLast((each) => each.guest === guest);
  }

  #find(uuid: string): DomainInstance | undefined {
    return [...this.#records.keys()].findLast((each) => each.uuid === uuid && each.isAlive());
  }

  #refuseSecond(guest: string, uuid: string): void {
    const known = this.#find(uuid) ?? this.#latestOf(guest);
    if (known === undefined || !known.isAlive()) return;
    throw preconditionError(
      "SOJ_GUEST_RUNNING",
      `guest ${known.guest} already has domain ${known.uuid} on this host`,
    );
  }

  async #xmlOf(guest: string, uuid: string): Promise<string> {
    try {
      const { domain } = await this.#link.call(domainLookupByUuid, { uuid });
      if (domain.id < 0) throw goneError(guest);
      return (await this.#link.call(domainGetXmlDesc, { domain, flags: 0 })).xml;
    } catch (error) {
      throw isNoDomain(error) ? goneError(guest, error) : error;
    }
  }

  async #activeUuids(): Promise<Set<string>> {
    return new Set((await activeDomains(this.#link)).map(({ uuid }) => uuid));
  }

  #noteLifecycle(message: LifecycleMessage): void {
    const { name, uuid } = message.domain;
    const instance = this.#find(uuid);
    const why = endOf(message);
    if (why !== null && instance?.hasDomain) instance.noteEnd(why);
    const how = startOf(message);
    if (how !== null && instance === undefined) this.#tellStarted({ name, uuid, how });
  }

  /** What happened while there was no connection. */
  async #catchUp(isFirst: boolean): Promise<void> {
    const active = await activeDomains(this.#link);
    const uuids = new Set(active.map(({ uuid }) => uuid));
    for (const instance of this.#records.keys()) {
      if (instance.hasDomain && !uuids.has(instance.uuid)) instance.noteEnd("unknown");
      else
        await instance.catchUp().catch((error) => {
          // One that has ended has told so by then.
          if (instance.isAlive()) throw error;
        });
    }
    if (isFirst) return;
    for (const { name, uuid } of active) {
      if (this.#find(uuid) === undefined) this.#tellStarted({ name, uuid, how: "found" });
    }
  }

  #tellStarted(domain: StartedDomain): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(domain);
      } catch (error) {
        this.#options.logger.error({ err: error }, "a listener for started domains failed");
      }
    }
  }
}
