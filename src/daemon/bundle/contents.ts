import { readFile } from "node:fs/promises";
import { cpus, release, totalmem, uptime } from "node:os";
import { join } from "node:path";
import { stringify, type TomlTable } from "smol-toml";
import { readJournal } from "../../migrator/journal-file.ts";
import { releaseVersion } from "../../platform/release.ts";
import { diskStorage } from "../../platform/storage.ts";
import { examineHost } from "../doctor/doctor.ts";
import { kernelObjects, outputOf } from "./kernel.ts";
import { guestRecords, recentMigrations } from "./past.ts";
import type { Places } from "./raw-config.ts";
import { withoutSecrets } from "./secrets.ts";

/** One file of the bundle, before it is scrubbed. */
export interface Part {
  name: string;
  about: string;
  read: () => Promise<string>;
  /** Which end of it counts when it is too long; by default the start. */
  keep?: "start" | "end";
}

/** Everything that goes into a bundle. */
export function partsOf(
  configPath: string,
  config: TomlTable | null,
  { state, devices }: Places,
): Part[] {
  return [
    {
      ...{ name: "doctor.json", about: "what sojourn doctor finds" },
      read: async () => json(await examineHost(configPath)),
    },
    {
      ...{ name: "versions.json", about: "of what this host runs" },
      read: async () => json(await versions()),
    },
    {
      ...{ name: "sojourn.toml", about: "the configuration without secrets and comments" },
      read: async () =>
        config === null
          ? "# it cannot be parsed: see doctor.json"
          : stringify(withoutSecrets(config) as TomlTable),
    },
    {
      ...{ name: "journal.json", about: "what this host has promised in writing" },
      read: async () => json(readJournal(join(state, "journal"), diskStorage)),
      keep: "end",
    },
    {
      ...{ name: "migrations.json", about: "the newest migrations, with reports and errors" },
      read: async () => json(await recentMigrations(state)),
    },
    {
      ...{ name: "guests.json", about: "where this host's guests are" },
      read: async () => json(await guestRecords(state)),
    },
    {
      ...{ name: "kernel.txt", about: "Sojourn's objects in the kernel, and devices below them" },
      read: () => kernelObjects(devices),
    },
    {
      ...{ name: "daemon.log", about: "the daemon's log of the last days, as journald has it" },
      read: () => outputOf("journalctl", logArguments, 32 * 1024 * 1024),
      keep: "end",
    },
  ];
}

const logArguments = [
  ...["--unit", "sojourn", "--lines", "20000", "--since", "-7d"],
  ...["--no-pager", "--output", "short-iso"],
];

async function versions() {
  const firstLine = async (program: string, ...args: string[]) =>
    (await outputOf(program, args)).split("\n")[0]?.slice(0, 300);
  const system = await readFile("/etc/os-release", "utf8").catch(() => "");
  return {
    sojourn: releaseVersion(),
    node: process.version,
    kernel: release(),
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(system)?.[1] ?? null,
    qemu: await firstLine("qemu-system-x86_64", "--version"),
    iproute2: await firstLine("ip", "-V"),
    nftables: await firstLine("nft", "--version"),
    openssl: await firstLine("openssl", "version"),
    processors: cpus().length,
    memory_mib: Math.floor(totalmem() / 1048576),
    uptime_s: Math.floor(uptime()),
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
