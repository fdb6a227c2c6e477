import { mkdir, rm } from "node:fs/promises";
import type { GuestEvent } from "../../hypervisor/hypervisor.ts";
import { chooseAccelerator } from "../../hypervisor/qemu/accelerator.ts";
import { qemuArguments } from "../../hypervisor/qemu/arguments.ts";
import { instancePaths, newInstanceId } from "../../hypervisor/qemu/instance-paths.ts";
import { awaitMonitor, launchQemu } from "../../hypervisor/qemu/launch.ts";
import { qemuFacts } from "../../hypervisor/qemu/qemu-facts.ts";
import { QemuProcess } from "../../hypervisor/qemu/qemu-process.ts";
import { isObject } from "../../hypervisor/qemu/qmp/messages.ts";
import { QmpSession } from "../../hypervisor/qemu/qmp/session.ts";
import { verifyGuest } from "../../hypervisor/qemu/verify-guest.ts";
import { SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { identifyProcess } from "../../platform/process-identity.ts";
import type { Site } from "./site.ts";

const startTimeoutMs = 20_000;
const quitGraceMs = 2_000;
const facts = qemuFacts();

/**
 * The guest in a QEMU that has the hardware a daemon would give it, and is otherwise as it comes. Disposing ends
 * the process and removes its files.
 */
export class PlainQemu implements AsyncDisposable {
  readonly host: string;
  readonly #process: QemuProcess;
  readonly #session: QmpSession;
  readonly #folder: string;

  /** Starts it on a host, not running yet. @throws SojournError `SOJ_HYPERVISOR_START_FAILED` */
  static start(site: Site, host: string, logger: Logger): Promise<PlainQemu> {
    return PlainQemu.#launch(site, host, logger, false);
  }

  /** Starts one that waits for the guest and runs it by itself as soon as it has it. */
  static startIncoming(site: Site, host: string, logger: Logger): Promise<PlainQemu> {
    return PlainQemu.#launch(site, host, logger, true);
  }

  static async #launch(
    site: Site,
    host: string,
    logger: Logger,
    incoming: boolean,
  ): Promise<PlainQemu> {
    const { definition, tapName } = site;
    const { binary, kvm, version } = await facts();
    const accelerator = chooseAccelerator(definition.accelerator, kvm, version);
    const instanceId = newInstanceId();
    const paths = instancePaths(site.runDir, definition.name, instanceId);
    const nics = [{ tapName }];
    const args = qemuArguments({ definition, nics, accelerator, instanceId, paths, incoming });
    const [program, ...prefix] = site.prefixOf(host) as [string, ...string[]];
    const wanted = incoming ? args.filter((argument) => argument !== "-S") : args;
    await mkdir(paths.folder, { recursive: true, mode: 0o700 });
    const child = await launchQemu(program, [...prefix, binary, ...wanted], paths.log);
    const pid = child.pid ?? 0;
    const process = new QemuProcess(identifyProcess(pid) ?? { pid, startTicks: 0 }, child);
    const session = new QmpSession({
      guest: definition.name,
      socketPath: paths.monitor,
      process,
      logger,
      verify: (connection) => verifyGuest(connection, definition, instanceId),
    });
    const qemu = new PlainQemu(host, process, session, paths.folder);
    try {
      await awaitMonitor(session, process, paths.log, startTimeoutMs);
      return qemu;
    } catch (error) {
      await qemu[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(host: string, process: QemuProcess, session: QmpSession, folder: string) {
    this.host = host;
    this.#process = process;
    this.#session = session;
    this.#folder = folder;
  }

  isAlive(): boolean {
    return this.#process.isAlive();
  }

  /** A QMP command. @throws SojournError `SOJ_HYPERVISOR_…` */
  execute(command: string, args?: Record<string, unknown>): Promise<unknown> {
    return this.#session.execute(command, args);
  }

  /** The first event of this name from now on; fails when the process ends. */
  event(name: string, timeoutMs: number, signal: AbortSignal): Promise<GuestEvent> {
    return this.wait(name, (event) => event.name === name, timeoutMs, signal);
  }

  /** The first event from now on that `matches`; what that throws ends the wait. */
  wait(
    description: string,
    matches: (event: GuestEvent) => boolean,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<GuestEvent> {
    return this.#session.wait(`${description} of ${this.host}`, matches, { timeoutMs, signal });
  }

  /** Calls back for every event until the returned function is called. */
  listen(listener: (event: GuestEvent) => void): () => void {
    return this.#session.events.listen(listener);
  }

  /** QAPI `RunState`. */
  async runState(): Promise<string> {
    const reply = await this.execute("query-status");
    if (isObject(reply) && typeof reply.status === "string") return reply.status;
    throw new SojournError("SOJ_QMP_PROTOCOL", "QEMU's query-status holds no status");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isAlive()) {
      // Whether QEMU obeys shows in the end of its process, not in its answer.
      this.#session.execute("quit", undefined, quitGraceMs).catch(() => {});
      if (!(await this.#process.waitForEnd(quitGraceMs))) await this.#process.kill();
    }
    this.#session.dispose();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
