import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { findDaemon } from "../../../src/lab/daemon-process.ts";
import { killDaemon, labNodePrefix, restartDaemon } from "../../../src/lab/index.ts";
import { labPaths } from "../../../src/lab/layout.ts";
import { identify, sendSignal, waitUntilGone } from "../../../src/lab/process-control.ts";
import { labProcesses } from "../../../src/lab/processes.ts";
import { readJournal } from "../../../src/migrator/journal-file.ts";
import { diskStorage } from "../../../src/platform/storage.ts";
import { daemonOf, rootOf } from "../../support/daemon-of.ts";
import { type CommandOutcome, configurationPath, type TestLab } from "../../support/lab.ts";

export const guest = "web1";
export const hosts = ["host-a", "host-b"] as const;

/** The nodes of a lab: commands in them, their processes, and what may be done to those. */
export class FaultHosts {
  readonly lab: TestLab;
  /** Faults since the test began. */
  injected = 0;
  readonly #baseConfiguration: ReadonlyMap<string, string>;

  constructor(lab: TestLab) {
    this.lab = lab;
    this.#baseConfiguration = new Map(
      hosts.map((host) => [host, readFileSync(configurationPath(lab.name, host), "utf8")]),
    );
  }

  /** Replaces the host's `[migration]` section and restarts its daemon. */
  async setMigrationPolicy(host: string, lines: string): Promise<void> {
    const base = this.#baseConfiguration.get(host) ?? "";
    writeFileSync(configurationPath(this.lab.name, host), `${base}\n[migration]\n${lines}\n`);
    await this.restart(host);
  }

  /** As if no policy had been set. */
  async removePolicies(): Promise<void> {
    for (const [host, base] of this.#baseConfiguration) {
      const path = configurationPath(this.lab.name, host);
      if (readFileSync(path, "utf8") === base) continue;
      writeFileSync(path, base);
      await this.restart(host);
    }
  }

  async restart(host: string): Promise<void> {
    await restartDaemon(this.lab.name, host);
  }

  /** SIGKILL to the host's daemon. */
  async kill(host: string): Promise<void> {
    this.injected += 1;
    await killDaemon(this.lab.name, host);
  }

  /** Asks the host's daemon to end (SIGTERM); true when it has within `timeoutMs`. */
  async terminate(host: string, timeoutMs: number): Promise<boolean> {
    const daemon = findDaemon(this.lab.name, host);
    if (daemon === null) throw new Error(`no daemon on ${host}`);
    this.injected += 1;
    sendSignal(daemon, "SIGTERM");
    return await waitUntilGone(daemon, timeoutMs);
  }

  /** A signal that a process does not expect. */
  signal(pid: number, signal: NodeJS.Signals): void {
    if (signal !== "SIGCONT") this.injected += 1;
    process.kill(pid, signal);
  }

  /** SIGKILL, and the end of the process: a large one takes a moment to go. */
  async end(pid: number): Promise<void> {
    const identity = identify(pid);
    this.signal(pid, "SIGKILL");
    if (!(await waitUntilGone(identity, 10_000))) throw new Error(`process ${pid} does not end`);
  }

  /** Runs a command in a node. */
  exec(node: string, command: readonly string[]): Promise<CommandOutcome> {
    return this.lab.exec(node, command);
  }

  /** The same; throws what the command said when it fails. */
  run(node: string, command: readonly string[]): Promise<string> {
    return this.lab.run(node, command);
  }

  spawn(
    node: string,
    command: readonly string[],
    stdin: "ignore" | "pipe" = "ignore",
  ): ChildProcess {
    const [program, ...prefix] = labNodePrefix(this.lab.name, node) as [string, ...string[]];
    return spawn(program, [...prefix, ...command], { stdio: [stdin, "pipe", "pipe"] });
  }

  /** QEMU processes of the lab, as the kernel lists them. */
  qemuProcesses(): { node: string; pid: number }[] {
    return labProcesses(this.lab.name)
      .filter(({ pid }) => commandLine(pid).includes("qemu-system-"))
      .map(({ node, pid }) => ({ node, pid }));
  }

  /** The host's only QEMU process, or that of `guest` when there are several. */
  qemuOn(host: string, guest?: string): number {
    const [found, ...others] = this.qemuProcesses().filter(
      ({ node, pid }) =>
        node === host && (guest === undefined || commandLine(pid).includes(`guest=${guest},`)),
    );
    if (found === undefined || others.length > 0) throw new Error(`${host}: not one QEMU process`);
    return found.pid;
  }

  /** Processes of a host whose command line has this text. */
  processesWith(host: string, text: string): number[] {
    return labProcesses(this.lab.name)
      .filter(({ node, pid }) => node === host && commandLine(pid).includes(text))
      .map(({ pid }) => pid);
  }

  /** Pid of the daemon that the lab started on the host. */
  daemonOn(host: string): number {
    const { daemon } = labPaths(this.lab.name).node(host);
    return (JSON.parse(readFileSync(daemon, "utf8")) as { pid: number }).pid;
  }

  /** The steps of a migration that are in a host's journal. */
  async journaled(host: string, id: string): Promise<string[]> {
    const path = `${rootOf(this.lab.name, host)}/var/lib/sojourn/journal`;
    const { records } = readJournal(path, diskStorage);
    return records.filter(({ migration }) => migration === id).map(({ step }) => step);
  }

  /** Records of guests' processes on a host, whichever hypervisor has them. */
  async instanceRecords(host: string): Promise<string[]> {
    const names = ["-name", "instance.json", "-o", "-path", "*/libvirt/*.json"];
    const find = ["find", "/run/sojourn", ...names];
    return (await this.run(host, find)).split("\n").filter((path) => path !== "");
  }

  /** An operator's decision, confirmed. */
  async resolve(host: string, id: string, keep: "source" | "destination") {
    const command = ["sojourn", "resolve", id, "--keep", keep, "--yes", "--json"];
    const { exitCode, stdout } = await this.exec(host, command);
    return { exitCode, last: JSON.parse(stdout.trim().split("\n").at(-1) ?? "") };
  }

  /** What a host's daemon says of a migration. */
  async stateAt(host: string, id: string): Promise<string> {
    return (await daemonOf(this.lab.name, host).getMigration(id)).state;
  }

  /** What a host's daemon says of the guest: its state and where it is; null when it knows nothing of it. */
  async placeAt(host: string): Promise<{ state: string; host: string | null } | null> {
    const listed = await daemonOf(this.lab.name, host).listGuests();
    const found = listed.find(({ name }) => name === guest);
    return found === undefined ? null : { state: found.state, host: found.host };
  }

  /** Migrations that a host's daemon has not finished. */
  async unfinished(host: string): Promise<string[]> {
    const open = daemonOf(this.lab.name, host).eachMigration({ isOpen: true });
    const migrations = await Array.fromAsync(open);
    return migrations.filter(({ ended_ms }) => ended_ms === null).map(({ id }) => id);
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
