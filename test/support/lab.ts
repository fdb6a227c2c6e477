import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { MigrationEvent } from "../../src/daemon/services.ts";
import { downLab, labNodePrefix } from "../../src/lab/index.ts";
import type { MigrationReport } from "../../src/migrator/report.ts";
import type { ErrorRecord } from "../../src/platform/errors.ts";
import { comparableRuleset } from "./ruleset.ts";

const program = fileURLToPath(new URL("../../bin/sojourn", import.meta.url));

export interface CommandOutcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface MigrateOutcome {
  exitCode: number;
  lines: MigrationEvent[];
  /** The last line: a report, or an error record. */
  report: MigrationReport | null;
  error: ErrorRecord | null;
}

/** A real lab (namespaces, daemons, QEMU) of its own name; disposing removes it. */
export class TestLab implements AsyncDisposable {
  readonly name: string;
  /** It goes on when this is disposed of. */
  readonly isShared: boolean;

  private constructor(name: string, isShared: boolean) {
    this.name = name;
    this.isShared = isShared;
  }

  /** A lab that stands and goes on when this is disposed of. */
  static shared(name: string): TestLab {
    return new TestLab(name, true);
  }

  /** Brings the lab up with the CLI; `options` are those of `sojourn lab up`. */
  static async up(name: string, options: readonly string[] = []): Promise<TestLab> {
    const lab = new TestLab(name, false);
    await downLab(name);
    const up = await lab.cli(["lab", "up", "--lab", name, ...options]);
    if (up.exitCode === 0) return lab;
    await downLab(name);
    throw new Error(`lab up: ${up.stderr}`);
  }

  /** Runs the checkout's `sojourn` outside the lab. */
  async cli(args: readonly string[], timeoutMs = 120_000): Promise<CommandOutcome> {
    const result = await execa(program, args, {
      reject: false,
      timeout: timeoutMs,
      stdin: "ignore",
    });
    return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  }

  /** Runs a command in a node at once, without the CLI's start in between. */
  async exec(node: string, command: readonly string[]): Promise<CommandOutcome> {
    const [program, ...prefix] = labNodePrefix(this.name, node) as [string, ...string[]];
    const options = { reject: false, timeout: 120_000, stdin: "ignore" } as const;
    const result = await execa(program, [...prefix, ...command], options);
    return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  }

  /** The same; throws what the command said when it fails (with --json errors are on its standard output). */
  async run(node: string, command: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.exec(node, command);
    if (exitCode === 0) return stdout;
    const said = stderr.trim() === "" ? stdout : stderr;
    throw new Error(`${node}: ${command.join(" ")}: exit ${exitCode}: ${said.slice(-2_000)}`);
  }

  /** `sojourn migrate … --json` from a node. */
  async migrate(
    from: string,
    guest: string,
    to: string,
    options: readonly string[] = [],
  ): Promise<MigrateOutcome> {
    const command = ["sojourn", "migrate", guest, "--to", to, "--json", ...options];
    const { exitCode, stdout } = await this.exec(from, command);
    const lines = stdout
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as MigrationEvent);
    const last = lines.at(-1);
    return {
      exitCode,
      lines,
      report: last?.type === "report" ? last : null,
      error: last?.type === "error" ? last : null,
    };
  }

  /** Adds lines to a host's configuration and restarts its daemon (guests go on). */
  async configure(host: string, toml: string): Promise<void> {
    const path = configurationPath(this.name, host);
    writeFileSync(path, `${readFileSync(path, "utf8")}\n${toml}\n`);
    const restarted = await this.cli(["lab", "restart", "--lab", this.name, host]);
    if (restarted.exitCode !== 0) throw new Error(restarted.stderr);
  }

  /** A host's daemon log. */
  log(host: string): string {
    return readFileSync(`/run/sojourn-lab/${this.name}/nodes/${host}/daemon.log`, "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isShared) await downLab(this.name);
  }
}

/** The configuration of a host's daemon. */
export function configurationPath(lab: string, host: string): string {
  return `/run/sojourn-lab/${lab}/nodes/${host}/etc/sojourn.toml`;
}

/** All kernel state of a host that a migration may touch, in a form that compares: no indexes, ages or counters. */
export async function kernelState(
  lab: Pick<TestLab, "run">,
  host: string,
): Promise<Record<string, string>> {
  const script = Object.values(questions).join(`; echo ${answerEnd}; `);
  const answers = (await lab.run(host, ["sh", "-c", `${script}; true`])).split(answerEnd);
  const state = Object.keys(questions).map((name, index) => [name, (answers[index] ?? "").trim()]);
  const read: Record<string, string> = Object.fromEntries(state);
  const lines = (text = "") => text.split("\n").sort().join("\n");
  return {
    links: lines(read.links?.replace(/@if\d+/g, "")),
    addresses: lines(read.addresses?.replace(/@if\d+/g, "")),
    routes: lines(read.routes),
    rules: lines(read.rules),
    permanentNeighbours: lines(read.permanentNeighbours),
    proxies: lines(read.proxies),
    fdb: lines(read.fdb?.replaceAll(/^.* master .*\n?/gm, "").trim()),
    nft: comparableRuleset(read.nft ?? ""),
    qdiscs: lines(read.qdiscs),
    filters: read.filters ?? "",
    namespaces: read.namespaces ?? "",
    sysctls: lines(read.sysctls),
  };
}

const answerEnd = "---answer-ends---";

const questions = {
  links: "ip -br link",
  addresses: "ip -br address",
  routes: "ip route show table all",
  rules: "ip rule",
  permanentNeighbours: "ip neigh show nud permanent",
  proxies: "ip neigh show proxy",
  fdb: "bridge fdb show",
  nft: "nft list ruleset",
  qdiscs: "tc qdisc show",
  filters: "tc filter show dev eth0 ingress",
  namespaces: "ip netns list",
  sysctls:
    "sysctl -a -r 'net.ipv4.(conf|neigh).(all|default|eth0|guests0).(rp_filter|proxy_arp|proxy_delay|forwarding|send_redirects)$'",
};
