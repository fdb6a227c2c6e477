import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { AdoptionResult, SojournClient } from "../../client/index.ts";
import { ExitCode, usageError } from "../../platform/errors.ts";
import { createOutput } from "../output.ts";
import { formatTable } from "../table.ts";

interface AdoptOptions {
  qmp?: string;
  pid?: number;
  libvirt?: boolean;
  domain?: string;
  nic?: string[];
  to?: string[];
  sharedDisks?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

/** `guest adopt` and `guest release`. */
export function addAdoption(parent: Command, connect: () => Promise<SojournClient>): void {
  parent
    .command("adopt <guest>")
    .description("make a guest of a QEMU, or of a domain of libvirt's, that runs already")
    .option("--libvirt", "it is the domain of this name; libvirt keeps it")
    .option("--domain <name or uuid>", "with --libvirt: which domain it is")
    .option("--qmp <socket>", "its QMP socket")
    .option("--pid <pid>", "its process", processNumber)
    .option("--nic <address/length[@mac]>", "its address, where the host has not seen it", collect)
    .option("--to <host>", "a peer that it must be able to go to; without it, any one", collect)
    .option("--shared-disks", "vouch that hosts see the same storage under its disks' paths")
    .option("--dry-run", "only propose and check, change nothing")
    .option("--json", "print JSON, errors too")
    .action(async (name: string, options: AdoptOptions) => {
      const { qmp, pid, nic, to, dryRun, sharedDisks } = options;
      const libvirt = domainOf(options);
      if (qmp === undefined && pid === undefined && libvirt === undefined) {
        throw usageError(
          "name the QEMU: --libvirt, --qmp SOCKET or --pid PID",
          "virsh list; pgrep -a qemu",
        );
      }
      const result = await (await connect()).adoptGuest({
        name,
        ...(qmp === undefined ? {} : { qmp: resolve(qmp) }),
        ...(pid === undefined ? {} : { pid }),
        ...(libvirt === undefined ? {} : { libvirt }),
        ...(nic === undefined ? {} : { nic }),
        ...(to === undefined ? {} : { to }),
        ...(sharedDisks === true ? { shared_disks: true } : {}),
        ...(dryRun === true ? { dry_run: true } : {}),
      });
      createOutput(options.json ?? false).result(result, () => describe(result));
      if (!result.possible) process.exitCode = ExitCode.precondition;
    });
  parent
    .command("release <guest>")
    .description("forget an adopted guest, which runs on")
    .option("--json", "print JSON, errors too")
    .action(async (name: string, { json = false }: AdoptOptions) => {
      const released = await (await connect()).releaseGuest(name);
      createOutput(json).result(released, () =>
        released.pid === 0
          ? `${released.guest} is no guest any more`
          : `${released.guest} is no guest any more; process ${released.pid} runs on`,
      );
    });
}

function describe(result: AdoptionResult): string {
  const rows = result.checks.map(({ host, subject, result: verdict, detail }) => [
    ...[verdict, host, subject, detail],
  ]);
  const { guest, pid, monitor, domain } = result;
  const what =
    domain === undefined ? `process ${pid}, monitor ${monitor}` : `domain ${domain} of libvirt's`;
  const verdict = result.adopted
    ? `${guest} is a guest of this host: ${what}`
    : `${guest} ${result.possible ? "can" : "cannot"} be adopted; nothing was changed`;
  const table = formatTable(["RESULT", "HOST", "ABOUT", "FOUND"], rows);
  return result.adopted ? `${table}\n${verdict}` : `${result.definition}\n${table}\n${verdict}`;
}

/** @throws SojournError `SOJ_USAGE` */
function domainOf({ libvirt, domain, qmp, pid }: AdoptOptions): { domain?: string } | undefined {
  if (libvirt !== true) {
    if (domain === undefined) return undefined;
    throw usageError("--domain goes with --libvirt");
  }
  if (qmp === undefined && pid === undefined) return domain === undefined ? {} : { domain };
  throw usageError("--libvirt goes without --qmp and --pid: libvirt holds the monitor");
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function processNumber(text: string): number {
  if (/^[1-9][0-9]{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("not a process's number");
}
