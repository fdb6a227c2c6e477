import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { execa } from "execa";
import { expect } from "vitest";
import type { MigrationEvent } from "../../../src/daemon/services.ts";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { labPaths } from "../../../src/lab/layout.ts";
import { labProcesses } from "../../../src/lab/processes.ts";
import type { MigrationReport } from "../../../src/migrator/report.ts";
import type { ErrorRecord } from "../../../src/platform/errors.ts";
import { type Prober, startProber } from "../../../src/probe/prober.ts";
import { type CommandOutcome, kernelState, TestLab } from "../../support/lab.ts";

export const guest = "web1";
export const guestAddress = "10.1.0.10";
export const hosts = ["host-a", "host-b"] as const;

/** How a followed migration ended: the process's exit code and its last line. */
export interface Ending {
  exitCode: number;
  last: MigrationReport | ErrorRecord;
}

/** A two-host lab, what it was like before the first fault, and a session of the client that must survive. */
export class FaultLab implements AsyncDisposable {
  readonly lab: TestLab;
  readonly #baseConfiguration: ReadonlyMap<string, string>;
  #before: Record<string, Record<string, string>> = {};
  #session: Prober | null = null;

  private constructor(lab: TestLab) {
    this.lab = lab;
    this.#baseConfiguration = new Map(
      hosts.map((host) => [host, readFileSync(configPath(lab, host), "utf8")]),
    );
  }

  static async up(name: string): Promise<FaultLab> {
    const fault = new FaultLab(await TestLab.up(name, ["--hosts", "2"]));
    await fault.remember();
    return fault;
  }

  /** The kernel state that every fault must come back to. */
  async remember(): Promise<void> {
    this.#before = await this.#kernelStates();
  }

  /** Replaces the host's `[migration]` section and restarts its daemon. */
  async setMigrationPolicy(host: string, lines: string): Promise<void> {
    const base = this.#baseConfiguration.get(host) ?? "";
    writeFileSync(configPath(this.lab, host), `${base}\n[migration]\n${lines}\n`);
    await this.restart(host);
  }

  async restart(host: string): Promise<void> {
    await this.#labCommand("restart", host);
  }

  /** SIGKILL to the host's daemon. */
  async kill(host: string): Promise<void> {
    await this.#labCommand("kill", host);
  }

  /** Opens an echo session from the client that runs until `expectSessionAlive`. */
  async openSession(): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]();
    this.#session = await startProber({
      kind: "tcp-echo",
      host: guestAddress,
      port: 7,
      commandPrefix: labNodePrefix(this.lab.name, "client"),
    });
  }

  /** The session of `openSession` is whole, in order, and answers after everything that happened. */
  async expectSessionAlive(): Promise<void> {
    const session = this.#session;
    if (session === null) throw new Error("no session was opened");
    const answers = () => {
      const series = session.snapshot();
      return series.kind === "tcp-echo" ? series.receivedMs.length : 0;
    };
    const known = answers();
    await expect.poll(answers, { timeout: 5_000, interval: 50 }).toBeGreaterThan(known);
    expect(session.snapshot().broken).toBeNull();
  }

  /** Starts `sojourn migrate` and follows it. */
  migrate(from: string, to: string, options: readonly string[] = []): FollowedMigration {
    const command = ["sojourn", "migrate", guest, "--to", to, "--json", "--no-probe", ...options];
    return new FollowedMigration(this.spawn(from, command));
  }

  /** Begins a migration without the plan that would find most faults beforehand, and follows it. */
  async migrateUnplanned(from: string, to: string, options: readonly string[] = []) {
    const started = await this.run(from, [
      ...["sojourn", "migrate", guest, "--to", to, "--json", "--no-probe", "--detach"],
      ...options,
    ]);
    const { id } = JSON.parse(started) as { id: string };
    return new FollowedMigration(this.spawn(from, ["sojourn", "watch", id, "--json"]));
  }

  /** Runs a command in a node at once, without the CLI's start in between. */
  async exec(node: string, command: readonly string[]): Promise<CommandOutcome> {
    const [program, ...prefix] = labNodePrefix(this.lab.name, node) as [string, ...string[]];
    const options = { reject: false, timeout: 120_000, stdin: "ignore" } as const;
    const result = await execa(program, [...prefix, ...command], options);
    return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  }

  /** The same; throws what the command said when it fails. */
  async run(node: string, command: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.exec(node, command);
    if (exitCode === 0) return stdout;
    throw new Error(`${node}: ${command.join(" ")}: exit ${exitCode}: ${stderr}`);
  }

  spawn(node: string, command: readonly string[]): ChildProcess {
    const [program, ...prefix] = labNodePrefix(this.lab.name, node) as [string, ...string[]];
    return spawn(program, [...prefix, ...command], { stdio: ["ignore", "pipe", "pipe"] });
  }

  /** QEMU processes of the lab, as the kernel lists them. */
  qemuProcesses(): { node: string; pid: number }[] {
    return labProcesses(this.lab.name)
      .filter(({ pid }) => commandLine(pid).includes("qemu-system-"))
      .map(({ node, pid }) => ({ node, pid }));
  }

  qemuOn(host: string): number {
    const [found, ...others] = this.qemuProcesses().filter(({ node }) => node === host);
    if (found === undefined || others.length > 0) throw new Error(`${host}: not one QEMU process`);
    return found.pid;
  }

  /** Pid of the daemon that the lab started on the host. */
  daemonOn(host: string): number {
    const { daemon } = labPaths(this.lab.name).node(host);
    return (JSON.parse(readFileSync(daemon, "utf8")) as { pid: number }).pid;
  }

  /** True when the host's journal holds the source's promise of this migration. */
  async promised(host: string, id: string): Promise<boolean> {
    const journal = await this.run(host, ["cat", "/var/lib/sojourn/journal.jsonl"]);
    return journal
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { migration: string; step: string })
      .some(({ migration, step }) => migration === id && step === "promise");
  }

  /** What a host's daemon says of the guest: its state and where it is; null when it knows nothing of it. */
  async placeAt(host: string): Promise<{ state: string; host: string | null } | null> {
    const text = await this.run(host, ["sojourn", "guest", "ls", "--json"]);
    const listed = JSON.parse(text) as { name: string; state: string; host: string | null }[];
    const found = listed.find(({ name }) => name === guest);
    return found === undefined ? null : { state: found.state, host: found.host };
  }

  /** One copy of the guest exists, it runs at home, and nothing else is left of a migration on any host. */
  async expectHomeAndClean(): Promise<void> {
    expect(await this.placeAt("host-a")).toEqual({ state: "running", host: "host-a" });
    expect(await this.placeAt("host-b")).toBeNull();
    expect(this.qemuProcesses().map(({ node }) => node)).toEqual(["host-a"]);
    expect(await this.#kernelStates()).toEqual(this.#before);
    await this.expectSessionAlive();
  }

  /** One copy of the guest exists, it runs at host-b, and both hosts say so. */
  async expectAway(): Promise<void> {
    expect(await this.placeAt("host-a")).toEqual({ state: "away", host: "host-b" });
    expect(await this.placeAt("host-b")).toEqual({ state: "running", host: "host-b" });
    expect(this.qemuProcesses().map(({ node }) => node)).toEqual(["host-b"]);
    await this.expectSessionAlive();
  }

  /** Brings the guest home, which must work after every fault, and leave no trace. */
  async returnHome(): Promise<void> {
    const { exitCode, last } = await this.migrate("host-b", "host-a").ended;
    expect(last).toMatchObject({ type: "report", outcome: "completed" });
    expect(exitCode).toBe(0);
    await this.expectHomeAndClean();
  }

  /** Migrations that a host's daemon has not finished. */
  async unfinished(host: string): Promise<string[]> {
    const text = await this.run(host, ["sojourn", "status", "--json"]);
    const migrations = JSON.parse(text) as { id: string; ended_ms: number | null }[];
    return migrations.filter(({ ended_ms }) => ended_ms === null).map(({ id }) => id);
  }

  /** Waits until a restarted daemon has finished what an earlier one left. */
  async recovered(host: string): Promise<void> {
    await expect.poll(() => this.unfinished(host), { timeout: 30_000, interval: 100 }).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session?.[Symbol.asyncDispose]();
    await this.lab[Symbol.asyncDispose]();
  }

  async #labCommand(verb: string, host: string): Promise<void> {
    const { exitCode, stderr } = await this.lab.cli(["lab", verb, "--lab", this.lab.name, host]);
    if (exitCode !== 0) throw new Error(`lab ${verb} ${host}: ${stderr}`);
  }

  async #kernelStates(): Promise<Record<string, Record<string, string>>> {
    const states = hosts.map(async (host) => [host, await kernelState(this, host)] as const);
    return Object.fromEntries(await Promise.all(states));
  }
}

/** A `sojourn migrate` or `watch` whose lines are read as they come. */
export class FollowedMigration {
  readonly lines: MigrationEvent[] = [];
  /** Resolves when the command has ended. */
  readonly ended: Promise<Ending>;
  #changed = Promise.withResolvers<void>();
  #over = false;

  constructor(child: ChildProcess) {
    this.ended = this.#follow(child);
    this.ended.catch(() => {});
  }

  /** Resolves with the first event that `matches`; rejects when the migration ends without one. */
  async event(matches: (event: MigrationEvent) => boolean): Promise<MigrationEvent> {
    for (;;) {
      const found = this.lines.find(matches);
      if (found !== undefined) return found;
      if (this.#over) throw new Error(`it ended before: ${JSON.stringify(this.lines.at(-1))}`);
      await this.#changed.promise;
    }
  }

  /** Resolves with the migration's id when the phase has been entered. */
  async phase(name: string): Promise<string> {
    const event = await this.event((line) => line.type === "phase" && line.phase === name);
    if (event.type !== "phase") throw new Error("not a phase");
    return event.id;
  }

  hasSeen(phase: string): boolean {
    return this.lines.some((line) => line.type === "phase" && line.phase === phase);
  }

  /** Resolves once memory is on its way. */
  async streaming(): Promise<string> {
    const id = await this.phase("precopy");
    await this.event((line) => line.type === "progress" && line.transferred_bytes > 0);
    return id;
  }

  async #follow(child: ChildProcess): Promise<Ending> {
    let stderr = "";
    child.stderr?.on("data", (data) => {
      stderr += data;
    });
    const closed = once(child, "close");
    if (child.stdout === null) throw new Error("no output to follow");
    for await (const line of createInterface({ input: child.stdout })) {
      this.lines.push(JSON.parse(line) as MigrationEvent);
      this.#notify();
    }
    const [exitCode] = await closed;
    this.#over = true;
    this.#notify();
    const last = this.lines.at(-1);
    if (last?.type === "report" || last?.type === "error") return { exitCode, last };
    throw new Error(`the last line is not a result (exit ${exitCode}): ${stderr}`);
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}

/** An error of a migration that was taken back: told with its step, a hint and the guest's place. */
export function rolledBackIn(step: string, code: string) {
  return {
    exitCode: 4,
    last: {
      type: "error",
      code,
      message: expect.stringContaining(`step ${step}`),
      hint: expect.any(String),
      guest_state: "running-at-source",
    },
  };
}

function configPath(lab: TestLab, host: string): string {
  return `/run/sojourn-lab/${lab.name}/nodes/${host}/etc/sojourn.toml`;
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
