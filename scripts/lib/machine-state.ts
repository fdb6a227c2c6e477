/** What a machine shows of Sojourn outside its labs: equal before and after a run, or something was left behind. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { runCommand } from "../../src/platform/command.ts";

/** One line for each thing, by kind. */
export type MachineState = Record<string, string[]>;

/** The state now: the kernel's networking, mounts, files, processes and this process's own descriptors. */
export async function machineState(): Promise<MachineState> {
  return {
    links: await lines("ip", "-br", "link"),
    addresses: await lines("ip", "-br", "address"),
    routes: await lines("ip", "route", "show", "table", "all"),
    rules: await lines("ip", "rule"),
    neighbours: [
      ...(await lines("ip", "neigh", "show", "nud", "permanent")),
      ...(await lines("ip", "neigh", "show", "proxy")),
    ],
    nft: await lines("nft", "list", "ruleset"),
    qdiscs: await lines("tc", "qdisc", "show"),
    namespaces: await lines("ip", "netns", "list"),
    mounts: mounts(),
    files: folders.flatMap((folder) => named(folder).map((name) => `${folder}/${name}`)),
    processes: processes(),
    descriptors: ownDescriptors(),
  };
}

/** What is there `after` and was not `before`, and the other way round, without what `isOthers` says is not ours. */
export function differences(
  before: MachineState,
  after: MachineState,
  isOthers: (line: string) => boolean,
): string[] {
  return Object.keys(before).flatMap((kind) => {
    const [was = [], is = []] = [before[kind], after[kind]];
    const left = is.filter((line) => !was.includes(line)).map((line) => `left ${kind}: ${line}`);
    const gone = was.filter((line) => !is.includes(line)).map((line) => `gone ${kind}: ${line}`);
    return [...left, ...gone].filter((line) => !isOthers(line));
  });
}

/** Where Sojourn, its labs and its tests keep files. */
const folders = [
  "/run",
  "/run/netns",
  "/run/sojourn-lab",
  "/var/lib",
  "/var/lib/sojourn-lab",
  "/etc",
  "/tmp",
];

async function lines(program: string, ...args: string[]): Promise<string[]> {
  const { stdout } = await runCommand(program, args, { acceptExitCodes: [1, 2, 255] });
  return stdout.split("\n").filter((line) => line !== "");
}

/** Without the numbers that the kernel gives anew. */
function mounts(): string[] {
  const all = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return all.filter((line) => line !== "").map((line) => line.split(" ").slice(3).join(" "));
}

function named(folder: string): string[] {
  const ours =
    folder.includes("netns") || folder.includes("sojourn") ? /./ : /sojourn|^fault|^fake-qmp/;
  try {
    return readdirSync(folder).filter((name) => ours.test(name));
  } catch {
    return [];
  }
}

/** Daemons, guests and whatever else runs in a lab, apart from this run itself. */
function processes(): string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    const command = text(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
    const isOurs =
      /qemu-system-|sojourn/.test(command) || text(`/proc/${pid}/environ`).includes("SOJOURN_LAB");
    return isOurs && !isAncestor(pid) ? [`${pid} ${command.slice(0, 200)}`] : [];
  });
}

function isAncestor(pid: string): boolean {
  for (let own = String(process.pid); own !== "0" && own !== ""; ) {
    if (own === pid) return true;
    own = /^PPid:\s+(\d+)$/m.exec(text(`/proc/${own}/status`))?.[1] ?? "";
  }
  return false;
}

function ownDescriptors(): string[] {
  const targets = readdirSync("/proc/self/fd").flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`).replace(/\[\d+\]$/, "")];
    } catch {
      return [];
    }
  });
  const kinds = Map.groupBy(targets, (target) => target);
  return [...kinds].map(([kind, all]) => `${all.length} ${kind}`).toSorted();
}

function text(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
