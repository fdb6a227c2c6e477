import { Command } from "commander";
import type { SojournClient } from "../../client/index.ts";
import type { HostSummary } from "../../daemon/inventory/schemas.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

interface HostOptions {
  json?: boolean;
}

const gib = 1024 ** 3;

export function hostCommand(): Command {
  const host = new Command("host").description("this host and its peers");
  host
    .command("ls")
    .description("list them: reachable or not, health, capacity")
    .option("--json", "print JSON, errors too")
    .action(async ({ json = false }: HostOptions) => {
      const hosts = await (await connect()).listHosts();
      createOutput(json).result(hosts, () => table(hosts));
    });
  host
    .command("show <host>")
    .description("everything that is known of one")
    .option("--json", "print JSON, errors too")
    .action(async (name: string, { json = false }: HostOptions) => {
      const summary = await (await connect()).showHost(name);
      createOutput(json).result(summary, () => describe(summary));
    });
  return host;
}

function table(hosts: readonly HostSummary[]): string {
  const rows = hosts.map(({ name, role, health, capacity, versions, address, maintenance }) => [
    name,
    role ?? "-",
    maintenance ? `${health}, maintenance` : health,
    capacity === null ? "-" : `${capacity.guests_running}`,
    capacity === null ? "-" : `${capacity.cpus}`,
    capacity === null ? "-" : memory(capacity),
    versions.sojourn ?? "-",
    versions.qemu ?? "-",
    capacity?.accelerator ?? "-",
    address,
  ]);
  const header = [
    "HOST",
    "ROLE",
    "HEALTH",
    "GUESTS",
    "CPUS",
    "FREE",
    "SOJOURN",
    "QEMU",
    "ACCEL",
    "ADDRESS",
  ];
  return formatTable(header, rows);
}

function describe(host: HostSummary): string {
  const { capacity, versions, tunnels, error } = host;
  const since = new Date(host.since_ms).toISOString();
  const lines: [string, string | null][] = [
    ["host", `${host.name}${host.local ? " (this one)" : ""}`],
    ["role", host.role],
    ["address", host.address],
    ["health", `${host.health}, ${host.reachable ? "reachable" : "unreachable"} since ${since}`],
    ["maintenance", host.maintenance ? "no guest starts or arrives there" : null],
    ["error", error === null ? null : `${error.message} [${error.code}]`],
    ["hint", error?.hint ?? null],
    ["sojourn", versions.sojourn],
    ["protocol", versions.protocol === null ? null : `${versions.protocol}`],
    ["qemu", versions.qemu],
    ["kernel", versions.kernel],
    ["underlay", host.underlay_address],
    ["guest subnets", host.guest_subnets?.join(", ") ?? null],
    ["cpus", capacity === null ? null : `${capacity.cpus}`],
    ["memory free", capacity === null ? null : memory(capacity)],
    ["acceleration", capacity?.accelerator ?? null],
    ["guests", capacity === null ? null : `${capacity.guests_running} running`],
    ...(tunnels ?? []).map(({ kind, datapath, supported, reason }): [string, string] => [
      `tunnel ${kind} (${datapath})`,
      supported ? "supported" : (reason ?? "not supported"),
    ]),
    ...host.problems.map(({ code, message }): [string, string] => [
      "problem",
      `${message} [${code}]`,
    ]),
  ];
  const known = lines.filter((line): line is [string, string] => line[1] !== null);
  const width = Math.max(...known.map(([name]) => name.length)) + 1;
  return known.map(([name, text]) => `${`${name}:`.padEnd(width)} ${text}`).join("\n");
}

function memory({ memory_available_bytes: free, memory_total_bytes: total }: Capacity): string {
  return `${(free / gib).toFixed(1)} of ${(total / gib).toFixed(1)} GiB`;
}

type Capacity = NonNullable<HostSummary["capacity"]>;

async function connect(): Promise<SojournClient> {
  return (await import("../../client/index.ts")).createClient();
}
