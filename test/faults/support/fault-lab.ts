import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { execa } from "execa";
import { expect } from "vitest";
import { findDaemon } from "../../../src/lab/daemon-process.ts";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { labPaths } from "../../../src/lab/layout.ts";
import { sendSignal, waitUntilGone } from "../../../src/lab/process-control.ts";
import { labProcesses } from "../../../src/lab/processes.ts";
import { type Prober, startProber } from "../../../src/probe/prober.ts";
import { type CommandOutcome, kernelState, TestLab } from "../../support/lab.ts";
import { FollowedMigration } from "./followed-migration.ts";

export const guest = "web1";
export const guestAddress = "10.1.0.10";
export const hosts = ["host-a", "host-b"] as const;

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

  /** Asks the host's daemon to end (SIGTERM); true when it has within `timeoutMs`. */
  async terminate(host: string, timeoutMs: number): Promise<boolean> {
    const daemon = findDaemon(this.lab.name, host);
    if (daemon === null) throw new Error(`no daemon on ${host}`);
    sendSignal(daemon, "SIGTERM");
    return await waitUntilGone(daemon, timeoutMs);
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

  /**
   * The session of `openSession` is whole, in order, and answers after everything that happened; after a long
   * hole only when TCP next tries (RFC 6298: its timer doubles).
   */
  async expectSessionAlive(withinMs = 5_000): Promise<void> {
    const session = this.#session;
    if (session === null) throw new Error("no session was opened");
    const answers = () => {
      const series = session.snapshot();
      return series.kind === "tcp-echo" ? series.receivedMs.length : 0;
    };
    const known = answers();
    await expect.poll(answers, { timeout: withinMs, interval: 50 }).toBeGreaterThan(known);
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

  /** The steps of a migration that are in a host's journal. */
  async journaled(host: string, id: string): Promise<string[]> {
    const journal = await this.run(host, ["cat", "/var/lib/sojourn/journal.jsonl"]);
    return journal
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { migration: string; step: string })
      .filter(({ migration }) => migration === id)
      .map(({ step }) => step);
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
    expect(last, JSON.stringify(last)).toMatchObject({ type: "report", outcome: "completed" });
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
