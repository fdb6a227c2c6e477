import { mkdir, rm } from "node:fs/promises";
import { preconditionError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { identifyProcess } from "../../platform/process-identity.ts";
import type { GuestDefinition } from "../definition.ts";
import type {
  AdoptingHypervisor,
  GuestInstance,
  HypervisorCapabilities,
  NicAttachment,
  RunningProcess,
} from "../hypervisor.ts";
import { chooseAccelerator } from "./accelerator.ts";
import { rehearse } from "./adoption/rehearsal.ts";
import { verifyAdopted } from "./adoption/verify-adopted.ts";
import { qemuArguments } from "./arguments.ts";
import { checkAttachments } from "./attachments.ts";
import { QemuInstance } from "./instance.ts";
import { instancePaths, newInstanceId } from "./instance-paths.ts";
import {
  findRecordedProcess,
  forgetRecord,
  pruneEnded,
  readRecords,
  type StoredRecord,
  writeRecord,
} from "./instance-record.ts";
import { awaitMonitor, launchQemu } from "./launch.ts";
import type { PortRange } from "./migration.ts";
import { hasUserfaultfd, type QemuFacts, qemuFacts } from "./qemu-facts.ts";
import { QemuProcess } from "./qemu-process.ts";
import { QmpSession } from "./qmp/session.ts";
import type { StreamTls } from "./stream-tls.ts";
import { verifyGuest } from "./verify-guest.ts";

export interface QemuHypervisorOptions {
  /** Folder for sockets, records, consoles and logs of the processes; survives the daemon, not the machine. */
  runDir: string;
  logger: Logger;
  /** Migration streams are mutually authenticated and encrypted with these; without, they are in clear. */
  tls?: StreamTls | null;
  /** Where guests arrive, each on one port; null for any that the kernel gives. */
  ports?: PortRange | null;
  /** Absolute path; by default the system's `qemu-system-x86_64`. */
  qemuBinary?: string;
  /** How long QEMU may take until its monitor answers. */
  startTimeoutMs?: number;
}

/** Folders of ended processes that are kept per guest, for their consoles and logs. */
const keptEnded = 3;

/** Guests in QEMU processes of this machine. One such object per run folder: a monitor has one client. */
export function createQemuHypervisor(options: QemuHypervisorOptions): AdoptingHypervisor {
  return new QemuHypervisor(options);
}

class QemuHypervisor implements AdoptingHypervisor {
  readonly #options: QemuHypervisorOptions;
  readonly #instances = new Map<string, QemuInstance>();
  readonly #starting = new Set<string>();
  readonly #facts: () => Promise<QemuFacts>;

  constructor(options: QemuHypervisorOptions) {
    this.#options = options;
    this.#facts = qemuFacts(options.qemuBinary);
  }

  async capabilities(): Promise<HypervisorCapabilities> {
    const { version, kvm } = await this.#facts();
    const accelerator = chooseAccelerator("auto", kvm, version);
    return { version: version.text, accelerator, postCopy: hasUserfaultfd() };
  }

  async start(definition: GuestDefinition, nics: readonly NicAttachment[]): Promise<GuestInstance> {
    for (const stored of await this.#records()) {
      if (stored.record.definition.name !== definition.name) continue;
      const found = findRecordedProcess(stored);
      if (found === null) continue;
      throw preconditionError(
        "SOJ_GUEST_RUNNING",
        `guest ${definition.name} already has QEMU process ${found.pid} on this host`,
      );
    }
    const instance = await this.#launch(definition, nics, false);
    try {
      await instance.cont();
      return instance;
    } catch (error) {
      await instance.quit(0);
      throw error;
    }
  }

  startIncoming(
    definition: GuestDefinition,
    nics: readonly NicAttachment[],
  ): Promise<GuestInstance> {
    return this.#launch(definition, nics, true);
  }

  async findInstances(): Promise<GuestInstance[]> {
    const found: Promise<GuestInstance>[] = [];
    for (const stored of await this.#records()) {
      const { instance_id: instanceId } = stored.record;
      if (this.#starting.has(instanceId)) continue;
      const known = this.#instances.get(instanceId);
      const identity = findRecordedProcess(stored);
      if (identity === null) await this.#forget(stored);
      else if (known !== undefined) found.push(Promise.resolve(known));
      else found.push(this.#attach(stored, new QemuProcess(identity)));
    }
    return Promise.all(found);
  }

  async adopt(running: RunningProcess): Promise<GuestInstance> {
    const { definition, pid, startTicks } = running;
    const instanceId = newInstanceId();
    const stored: StoredRecord = {
      paths: instancePaths(this.#options.runDir, definition.name, instanceId),
      record: {
        version: 1,
        instance_id: instanceId,
        process: { pid, start_ticks: startTicks },
        definition,
        taps: running.nics.map(({ tapName }) => tapName),
        incoming: false,
        adopted: {
          monitor: running.monitor,
          name: running.ownName,
          command_line_digest: running.commandLineDigest,
        },
      },
    };
    const process = new QemuProcess({ pid, startTicks });
    const session = this.#session(stored, process);
    this.#starting.add(instanceId);
    try {
      await session.connect();
      await mkdir(stored.paths.folder, { recursive: true, mode: 0o700 });
      await writeRecord(stored.paths, stored.record);
      return this.#attached(stored, process, session);
    } catch (error) {
      session.dispose();
      await rm(stored.paths.folder, { recursive: true, force: true });
      throw error;
    } finally {
      this.#starting.delete(instanceId);
    }
  }

  async letGo(instance: GuestInstance): Promise<void> {
    const { guest, instanceId } = instance;
    const { folder } = instancePaths(this.#options.runDir, guest, instanceId);
    await rm(folder, { recursive: true, force: true });
    await instance[Symbol.asyncDispose]();
  }

  async rehearse(definition: GuestDefinition): Promise<string[]> {
    const { runDir, logger } = this.#options;
    const tree = await rehearse(definition, { runDir, logger, facts: await this.#facts() });
    return tree.devices;
  }

  async #forget({ record, paths }: StoredRecord): Promise<void> {
    const guest = record.definition.name;
    this.#options.logger.warn(
      { guest, instance: record.instance_id, log: paths.log },
      "a QEMU process that was left running has ended",
    );
    await forgetRecord(paths);
    await pruneEnded(this.#options.runDir, guest, keptEnded);
  }

  async #launch(
    definition: GuestDefinition,
    nics: readonly NicAttachment[],
    incoming: boolean,
  ): Promise<QemuInstance> {
    await checkAttachments(definition, nics);
    const { binary, kvm, version } = await this.#facts();
    const accelerator = chooseAccelerator(definition.accelerator, kvm, version);
    const instanceId = newInstanceId();
    const paths = instancePaths(this.#options.runDir, definition.name, instanceId);
    const taps = nics.map(({ tapName }) => tapName);
    const stored: StoredRecord = {
      record: { version: 1, instance_id: instanceId, process: null, definition, taps, incoming },
      paths,
    };
    const args = qemuArguments({ definition, nics, accelerator, instanceId, paths, incoming });
    this.#starting.add(instanceId);
    try {
      await pruneEnded(this.#options.runDir, definition.name, keptEnded);
      await mkdir(paths.folder, { recursive: true, mode: 0o700 });
      return await this.#launchRecorded(stored, binary, args);
    } catch (error) {
      await rm(paths.folder, { recursive: true, force: true });
      throw error;
    } finally {
      this.#starting.delete(instanceId);
    }
  }

  /** Written down before it exists, so that no crash of ours can leave an unknown process. */
  async #launchRecorded(
    { record, paths }: StoredRecord,
    binary: string,
    args: readonly string[],
  ): Promise<QemuInstance> {
    await writeRecord(paths, record);
    const child = await launchQemu(binary, args, paths.log);
    const identity = identifyProcess(child.pid ?? 0) ?? { pid: child.pid ?? 0, startTicks: 0 };
    const process = new QemuProcess(identity, child);
    const stored: StoredRecord = {
      record: { ...record, process: { pid: identity.pid, start_ticks: identity.startTicks } },
      paths,
    };
    const session = this.#session(stored, process);
    try {
      await writeRecord(paths, stored.record);
      await awaitMonitor(session, process, paths.log, this.#options.startTimeoutMs ?? 20_000);
      return this.#attached(stored, process, session);
    } catch (error) {
      session.dispose();
      await process.kill();
      throw error;
    }
  }

  /** A process whose monitor does not answer is still a guest: it is handed out, and tried again. */
  async #attach(stored: StoredRecord, process: QemuProcess): Promise<QemuInstance> {
    const session = this.#session(stored, process);
    const instance = this.#attached(stored, process, session);
    try {
      await session.connect();
    } catch {
      void session.reconnect();
    }
    return instance;
  }

  #attached(stored: StoredRecord, process: QemuProcess, session: QmpSession): QemuInstance {
    const { instance_id: instanceId } = stored.record;
    const release = () => void this.#instances.delete(instanceId);
    const { tls = null, ports = null } = this.#options;
    const instance = new QemuInstance(stored, process, session, { tls, ports }, release);
    this.#instances.set(instanceId, instance);
    process.ended
      .then(() => {
        release();
        return forgetRecord(stored.paths);
      })
      .catch((error) => this.#options.logger.warn({ err: error }, "record not removed"));
    return instance;
  }

  #session({ record, paths }: StoredRecord, process: QemuProcess): QmpSession {
    const { definition, instance_id: instanceId, adopted } = record;
    return new QmpSession({
      guest: definition.name,
      socketPath: adopted?.monitor ?? paths.monitor,
      process,
      logger: this.#options.logger,
      verify: (connection) =>
        adopted === undefined
          ? verifyGuest(connection, definition, instanceId)
          : verifyAdopted(connection, record, adopted, process.pid),
    });
  }

  #records(): Promise<StoredRecord[]> {
    return readRecords(this.#options.runDir, (path, error) =>
      this.#options.logger.error({ path, err: error }, "damaged record of a QEMU process"),
    );
  }
}
