import { SojournError } from "../../platform/errors.ts";
import { streamOf } from "../../platform/event-stream.ts";
import type { GuestDefinition } from "../definition.ts";
import type { WaitOptions } from "../event-hub.ts";
import type {
  GuestEvent,
  GuestInstance,
  MigrationProgress,
  NicAttachment,
  OpenStorage,
  OutgoingParameters,
  OutgoingPreparation,
  OutgoingReadiness,
  RunState,
  StreamFeatures,
} from "../hypervisor.ts";
import type { Execute } from "./capabilities.ts";
import { carriedStorage } from "./carried-storage.ts";
import { nameImages } from "./command-line/carried-arguments.ts";
import { dirtyRate } from "./dirty-rate.ts";
import type { StoredRecord } from "./instance-record.ts";
import * as migration from "./migration.ts";
import { openStorage } from "./open-storage.ts";
import * as postCopy from "./post-copy.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { isObject } from "./qmp/messages.ts";
import type { QmpSession } from "./qmp/session.ts";
import { noFeatures, setFeatures } from "./stream-features.ts";
import { boundHandshake } from "./stream-handshake.ts";
import type { StreamTls } from "./stream-tls.ts";

/** A guest in a QEMU process, spoken to through its monitor. */
export class QemuInstance implements GuestInstance {
  readonly guest: string;
  readonly instanceId: string;
  readonly pid: number;
  readonly consolePath: string;
  readonly definition: GuestDefinition;
  readonly nics: readonly NicAttachment[];
  readonly incoming: boolean;
  readonly ended: Promise<void>;
  readonly isAdopted: boolean;
  readonly #process: QemuProcess;
  readonly #session: QmpSession;
  readonly #tls: StreamTls | null;
  readonly #ports: migration.PortRange | null;
  readonly #onDispose: () => void;
  readonly #execute: Execute;
  readonly #executeOutOfBand: Execute;
  #mayBeLoading: boolean;

  constructor(
    { record, paths }: StoredRecord,
    process: QemuProcess,
    session: QmpSession,
    stream: { tls: StreamTls | null; ports: migration.PortRange | null },
    onDispose: () => void,
  ) {
    this.guest = record.definition.name;
    this.instanceId = record.instance_id;
    this.pid = process.pid;
    this.consolePath = paths.console;
    this.definition = record.definition;
    this.nics = record.taps.map((tapName) => ({ tapName }));
    this.incoming = record.incoming;
    this.ended = process.ended;
    this.isAdopted = record.adopted !== undefined;
    this.#process = process;
    this.#session = session;
    this.#tls = stream.tls;
    this.#ports = stream.ports;
    this.#onDispose = onDispose;
    this.#execute = (command, args) => session.execute(command, args);
    this.#executeOutOfBand = (command, args) => session.executeOutOfBand(command, args);
    this.#mayBeLoading = record.incoming;
    session.events.listen(({ name, data }) => {
      if (name === "MIGRATION" && data.status === "completed") this.#mayBeLoading = false;
    });
  }

  async runState(): Promise<RunState> {
    const reply = await this.#execute("query-status");
    if (isObject(reply) && typeof reply.status === "string") return reply.status;
    throw new SojournError("SOJ_QMP_PROTOCOL", "QEMU's query-status holds no status");
  }

  async openStorage(): Promise<OpenStorage> {
    const nodes = await this.#execute("query-named-block-nodes");
    const devices = await this.#execute("query-block");
    const { disks, qemu_arguments: carried } = this.definition;
    return carried === undefined
      ? openStorage(nodes, devices, disks.length)
      : carriedStorage(nodes, devices, disks);
  }

  isAlive(): boolean {
    return this.#process.isAlive();
  }

  waitForEvent(
    description: string,
    matches: (event: GuestEvent) => boolean,
    options: WaitOptions,
  ): Promise<GuestEvent> {
    return this.#session.wait(description, matches, options);
  }

  onEvent(listener: (event: GuestEvent) => void): () => void {
    return this.#session.events.listen(listener);
  }

  events(signal: AbortSignal): AsyncIterable<GuestEvent> {
    return streamOf((listener) => this.onEvent(listener), signal);
  }

  async stop(): Promise<void> {
    await this.#execute("stop");
  }

  async cont(): Promise<void> {
    // QEMU takes `cont` before the state has arrived as "run as soon as it has", which nobody decided.
    if (this.#mayBeLoading && (await this.runState()) === "inmigrate") {
      throw new SojournError(
        "SOJ_HYPERVISOR_REFUSED",
        `guest ${this.guest} has not arrived in QEMU process ${this.pid}; it was not started`,
      );
    }
    await this.#execute("cont");
  }

  async powerDown(): Promise<void> {
    await this.#execute("system_powerdown");
  }

  async quit(graceMs = 2000): Promise<void> {
    if (!this.isAlive()) return;
    // Whether QEMU obeys shows in the end of its process, not in its answer.
    this.#session.execute("quit", undefined, Math.max(1, graceMs)).catch(() => {});
    if (!(await this.#process.waitForEnd(graceMs))) await this.#process.kill();
  }

  listenForMigration(
    address: string,
    sourceHost: string,
    wanted?: StreamFeatures,
  ): Promise<{ port: number; features?: StreamFeatures }> {
    const { disks, qemu_arguments: carried } = this.definition;
    const hasDisks = disks.length > 0 || (carried !== undefined && nameImages(carried));
    const options = { sourceHost, tls: this.#tls, ports: this.#ports, hasDisks, wanted };
    return migration.listenForMigration(this.#execute, address, options);
  }

  async streamFeatures(wanted: StreamFeatures): Promise<StreamFeatures> {
    const found = await setFeatures(this.#execute, wanted);
    await setFeatures(this.#execute, noFeatures);
    return found;
  }

  prepareOutgoing(parameters: OutgoingPreparation): Promise<OutgoingReadiness> {
    return migration.prepareOutgoing(this.#execute, parameters);
  }

  setOutgoingParameters(parameters: Partial<OutgoingParameters>): Promise<void> {
    return migration.setOutgoingParameters(this.#execute, parameters);
  }

  async migrateTo(address: string, port: number, destinationHost: string): Promise<void> {
    const options = { destinationHost, tls: this.#tls };
    const begin = () => migration.migrateTo(this.#execute, address, port, options);
    if (this.#tls === null) await begin();
    else await boundHandshake(this, { host: destinationHost, address, port }, begin);
  }

  migrationProgress(): Promise<MigrationProgress> {
    return migration.migrationProgress(this.#execute);
  }

  async continueMigration(): Promise<void> {
    await this.#execute("migrate-continue", { state: "pre-switchover" });
  }

  async cancelMigration(): Promise<void> {
    await this.#execute("migrate_cancel");
  }

  async startPostCopy(): Promise<void> {
    await this.#execute("migrate-start-postcopy");
  }

  pausePostCopy(): Promise<void> {
    return postCopy.pausePostCopy(this, this.#executeOutOfBand);
  }

  listenForRecovery(address: string): Promise<{ port: number }> {
    return postCopy.listenForRecovery(this.#executeOutOfBand, address, this.#ports);
  }

  resumePostCopy(address: string, port: number, destinationHost: string): Promise<void> {
    const target = { host: destinationHost, address, port };
    const execute = { inBand: this.#execute, outOfBand: this.#executeOutOfBand };
    return postCopy.resumePostCopy(this, execute, target);
  }

  dirtyRate(): Promise<number | null> {
    return dirtyRate(this.#execute);
  }

  async announceSelf(): Promise<void> {
    await this.#execute("announce-self", { initial: 50, max: 550, rounds: 5, step: 100 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.dispose();
    this.#onDispose();
  }
}
