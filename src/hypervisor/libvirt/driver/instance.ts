import { monotonicMs } from "../../../platform/clock.ts";
import { streamOf } from "../../../platform/event-stream.ts";
import type { Logger } from "../../../platform/log.ts";
import { isSameProcess, type ProcessIdentity } from "../../../platform/process-identity.ts";
import { waitAtMost } from "../../../platform/waiting.ts";
import type { GuestDefinition } from "../../definition.ts";
import { EventHub, type WaitOptions } from "../../event-hub.ts";
import type {
  GuestEvent,
  MigrationProgress,
  NicAttachment,
  OpenStorage,
  OutgoingParameters,
  OutgoingPreparation,
  OutgoingReadiness,
  RunState,
  StreamAnswer,
  StreamOffer,
} from "../../hypervisor.ts";
import { readDomain } from "../domain-xml/read-domain.ts";
import type { MonitorMessage } from "../rpc/events/monitor-event.ts";
import { domainGetXmlDesc, domainShutdown } from "../rpc/procedures/domains.ts";
import type { Arrival } from "./arrival-description.ts";
import { ArrivalRole } from "./arrival-role.ts";
import { DomainHandle, endNoticeMs } from "./domain-handle.ts";
import { domainProcess } from "./domain-process.ts";
import { disconnectedError, goneError, refusedError } from "./errors.ts";
import { guestEventOf, migrationStatusOf, ownEvent } from "./guest-event.ts";
import type { InstanceRecord } from "./instance-record.ts";
import { progressOf } from "./job-statistics.ts";
import type {
  DomainEnd,
  LibvirtInstance,
  StreamOptions,
  StreamPorts,
} from "./libvirt-hypervisor.ts";
import type { LibvirtLink } from "./link.ts";
import { openStorage } from "./open-storage.ts";
import { Processors } from "./processors.ts";
import { runStateOf } from "./run-state.ts";
import { SourceRole } from "./source-role.ts";

export interface InstanceContext {
  link: LibvirtLink;
  logger: Logger;
  stream: StreamOptions;
  ports: StreamPorts | null;
  /** The stream that brought it is at its end. */
  onArrived: (instance: DomainInstance) => void;
  onDispose: (instance: DomainInstance) => void;
}

/** A guest that is a domain of libvirt's. */
export class DomainInstance implements LibvirtInstance {
  readonly guest: string;
  readonly instanceId: string;
  readonly uuid: string;
  readonly definition: GuestDefinition;
  readonly nics: readonly NicAttachment[];
  readonly incoming: boolean;
  readonly isAdopted: boolean;
  readonly consolePath: string;
  readonly sealsStream = true;
  readonly #end = Promise.withResolvers<void>();
  readonly ended = this.#end.promise;
  readonly #context: InstanceContext;
  readonly #handle: DomainHandle;
  readonly #source: SourceRole;
  readonly #arrival: ArrivalRole | null;
  readonly #processors: Processors;
  readonly #isFound: boolean;
  readonly #events: EventHub;
  #whyEnded: DomainEnd | null = null;
  #hasArrived: boolean;
  /** Null when it is not known. */
  #process: ProcessIdentity | null = null;

  /** @param origin of a domain that is still to come, or that an earlier daemon has left. */
  constructor(
    record: InstanceRecord,
    context: InstanceContext,
    { arrival = null, isFound = false }: { arrival?: Arrival | null; isFound?: boolean } = {},
  ) {
    const { link, logger, stream, ports } = context;
    this.#context = context;
    this.guest = record.definition.name;
    this.instanceId = record.instance_id;
    this.uuid = record.uuid;
    this.definition = record.definition;
    this.nics = record.taps.map((tapName) => ({ tapName }));
    this.incoming = record.incoming;
    this.isAdopted = !record.incoming;
    this.consolePath = record.console;
    this.#hasArrived = record.arrived;
    this.#events = new EventHub(logger);
    const identity = { guest: this.guest, name: record.domain_name, uuid: this.uuid };
    const onGone = () => this.noteEnd("unknown");
    const hasEnded = () => !this.isAlive();
    this.#handle = new DomainHandle(link, identity, { onGone, hasEnded });
    this.#isFound = isFound;
    this.#processors = new Processors(this.#handle, this.#events);
    this.#source = new SourceRole(this.#handle, {
      ...{ stream, logger },
      onStatus: (status) => this.#tell("MIGRATION", { status }),
    });
    const given = { stream, ports, logger, onArrived: () => this.#noteArrival() };
    this.#arrival = arrival === null ? null : new ArrivalRole(arrival, this.#handle, given);
  }

  /** 0 when it is not known. */
  get pid(): number {
    return this.#identity?.pid ?? 0;
  }

  get whyEnded(): DomainEnd | null {
    return this.#whyEnded;
  }

  get hasOwnStream(): boolean {
    return this.#source.isBusy || !this.#hasArrived;
  }

  /** False before libvirt has started a QEMU for it. */
  get hasDomain(): boolean {
    return this.#arrival === null || this.#arrival.hasDomain;
  }

  async runState(): Promise<RunState> {
    if (!this.isAlive()) throw goneError(this.guest);
    if (!this.hasDomain) return "inmigrate";
    return runStateOf(await this.#handle.state(), !this.#hasArrived);
  }

  async openStorage(): Promise<OpenStorage> {
    const { xml } = await this.#handle.call(domainGetXmlDesc, { flags: 0 });
    return openStorage(readDomain(xml).disks, this.definition.disks);
  }

  isAlive(): boolean {
    return this.#whyEnded === null;
  }

  isProcessGone(): boolean {
    const identity = this.#identity;
    return identity !== null && !isSameProcess(identity);
  }

  waitForEvent(
    description: string,
    matches: (event: GuestEvent) => boolean,
    options: WaitOptions,
  ): Promise<GuestEvent> {
    const waiting = this.isAlive()
      ? this.#events.wait(description, matches, options)
      : Promise.reject(goneError(this.guest));
    // Whoever waits may fail before it gets to awaiting this: then nobody minds.
    waiting.catch(() => {});
    return waiting;
  }

  onEvent(listener: (event: GuestEvent) => void): () => void {
    return this.#events.listen(listener);
  }

  events(signal: AbortSignal): AsyncIterable<GuestEvent> {
    return streamOf((listener) => this.onEvent(listener), signal);
  }

  stop(): Promise<void> {
    return this.#processors.stop();
  }

  async cont(): Promise<void> {
    if (!this.#hasArrived && (await this.runState()) === "inmigrate") {
      throw refusedError(this.guest, "has not arrived; it was not started");
    }
    if (this.#source.isSending) {
      throw refusedError(this.guest, "is being sent; it was not continued");
    }
    if (this.#source.hasArrived) await this.#source.cancel();
    await this.#processors.resume();
  }

  async powerDown(): Promise<void> {
    await this.#handle.call(domainShutdown, {});
  }

  async quit(): Promise<void> {
    await this.#arrival?.abandon();
    if (!this.isAlive()) return;
    if (!this.hasDomain) return this.noteEnd("unknown");
    if (this.#source.hasArrived && (await this.#source.confirm())) {
      await waitAtMost(endNoticeMs, this.ended);
      return this.noteEnd("migrated");
    }
    await this.#handle.destroy(this.ended);
    this.noteEnd("destroyed");
  }

  listenForMigration(address: string): Promise<{ port: number; answer: StreamAnswer }> {
    if (this.#arrival !== null && this.isAlive()) return this.#arrival.listen(address);
    return Promise.reject(refusedError(this.guest, "does not wait to arrive here"));
  }

  async offerStream(destinationHost: string): Promise<StreamOffer> {
    if (!this.isAlive()) throw goneError(this.guest);
    return await this.#source.offer(destinationHost);
  }

  async prepareOutgoing(preparation: OutgoingPreparation): Promise<OutgoingReadiness> {
    await this.#source.prepare(preparation);
    return { heldUntilStopped: false };
  }

  setOutgoingParameters(parameters: Partial<OutgoingParameters>): Promise<void> {
    return this.#source.setParameters(parameters);
  }

  async migrateTo(
    address: string,
    port: number,
    destinationHost: string,
    answer?: StreamAnswer,
  ): Promise<void> {
    await this.#source.send({ address, port, host: destinationHost }, answer);
  }

  async migrationProgress(): Promise<MigrationProgress> {
    if (!this.isAlive()) throw goneError(this.guest);
    const { status, hasArrived } = this.#arrival ?? { status: "none", hasArrived: true };
    if (!hasArrived) return progressOf(null, status, null);
    const before = this.incoming && this.#hasArrived ? "completed" : "none";
    return (await this.#source.progress()) ?? progressOf(null, before, null);
  }

  async othersProgress(): Promise<MigrationProgress> {
    if (!this.isAlive()) throw goneError(this.guest);
    return await this.#source.othersProgress();
  }

  /** libvirt goes on by itself. */
  async continueMigration(): Promise<void> {}

  cancelMigration(): Promise<void> {
    return this.#source.cancel();
  }

  /** QEMU does it at the end of a migration, by libvirt's orders. */
  async announceSelf(): Promise<void> {}

  /** Takes what libvirt passed on from QEMU's monitor. */
  noteMonitorEvent(message: MonitorMessage, receivedMs: number): void {
    const event = guestEventOf(message, receivedMs);
    this.#processors.note(event.name);
    const status = migrationStatusOf(event);
    const role = this.#arrival?.hasArrived === false ? this.#arrival : this.#source;
    if (status === null || role.noteQemuStatus(status)) this.#events.emit(event);
  }

  /** Asks for what may have been missed. @throws SojournError `SOJ_HYPERVISOR_DISCONNECTED`, `SOJ_HYPERVISOR_GONE` */
  async catchUp(): Promise<void> {
    if (!this.hasDomain || !this.isAlive()) return;
    if (this.#isFound && this.#processors.isUnknown) await this.#source.inherit();
    const reply = await this.#handle.state();
    if (!this.#hasArrived && this.#arrival === null && runStateOf(reply, true) !== "inmigrate") {
      this.#noteArrival();
    }
    const missed = this.#processors.learn(reply);
    if (missed !== null) this.#tell(missed);
  }

  /** There is no connection to libvirt: what is waited for may be missed. */
  noteDisconnected(reason: unknown): void {
    this.#events.fail(disconnectedError(reason));
  }

  /** Its QEMU is gone. */
  noteEnd(why: DomainEnd): void {
    if (!this.isAlive()) return;
    this.#whyEnded = why;
    this.#closeStreams();
    this.#events.fail(goneError(this.guest));
    this.#end.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closeStreams();
    this.#events.fail(disconnectedError(null));
    this.#context.onDispose(this);
  }

  #noteArrival(): void {
    this.#hasArrived = true;
    this.#context.onArrived(this);
    if (this.#arrival !== null) this.#tell("MIGRATION", { status: "completed" });
  }

  get #identity(): ProcessIdentity | null {
    if (this.#process === null && this.hasDomain && this.#whyEnded === null) {
      this.#process = domainProcess(this.#context.link.socketPath, this.#handle.domain);
    }
    return this.#process;
  }

  #tell(name: string, data?: GuestEvent["data"]): void {
    this.#events.emit(ownEvent(name, monotonicMs(), data));
  }

  #closeStreams(): void {
    this.#arrival?.close();
    this.#source.letGo();
  }
}
