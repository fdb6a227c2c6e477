import { Command, InvalidArgumentError, Option } from "commander";
import {
  chosenLab,
  type DownSummary,
  demoLab,
  downLab,
  execInNode,
  killDaemon,
  type LabSummary,
  restartDaemon,
  type Topology,
  topologies,
  type UpOptions,
  upLab,
} from "../../lab/index.ts";

interface CommonFlags {
  lab?: string;
  json?: boolean;
}

interface UpFlags extends CommonFlags {
  hosts?: number;
  anchors?: number;
  guestHome?: string;
  guests?: number;
  memory?: number;
  guestOverlay?: string;
  guestKernel?: string;
  guestInitrd?: string;
  guestAppend?: string;
  libvirt?: boolean;
  topology?: Topology;
  linkMbps?: number;
}

interface DemoFlags extends UpFlags {
  keep?: boolean;
  tunnel?: string;
}

/** `sojourn lab …`: virtual hosts on this machine. */
export function labCommand(): Command {
  const lab = new Command("lab").description(
    "virtual hosts on this machine, to try and to test with",
  );
  lab.enablePositionalOptions();
  lab.addCommand(upCommand());
  lab.addCommand(common("down", "remove the lab with everything in it").action(down));
  lab.addCommand(execCommand());
  lab.addCommand(demoCommand());
  lab.addCommand(common("kill", "kill -9 the daemon of a host").argument("<node>").action(kill));
  lab.addCommand(
    common("restart", "start the daemon of a host, again if it runs")
      .argument("<node>")
      .action(restart),
  );
  return lab;
}

function upCommand(): Command {
  return upOptions(common("up", "build the lab, or repair and extend it"))
    .option("--anchors <n>", "anchors, each in a subnet of its own (0 to 4)", wholeNumber)
    .option("--guest-home <node>", "whose addresses the guests have: host-a, or an anchor")
    .option("--libvirt", "a libvirtd on each host, and web1 as its domain")
    .option(
      "--link-mbps <n>",
      "limit of each host's link to the router, each way, in Mbit/s (0: none)",
      wholeNumber,
    )
    .addOption(topologyOption())
    .action(up);
}

function execCommand(): Command {
  return new Command("exec")
    .description("run a command in a node (client, router, host-a, …)")
    .addOption(labOption())
    .argument("<node>")
    .argument("[command...]")
    .usage("[--lab NAME] NODE -- COMMAND…")
    .passThroughOptions()
    .action((node: string, command: string[], flags: CommonFlags) => {
      // Passing options through, commander passes the separator too.
      execInNode(chosenLab(flags.lab), node, command[0] === "--" ? command.slice(1) : command);
    });
}

function demoCommand(): Command {
  return upOptions(common("demo", "build the lab, move a guest to another subnet, show the report"))
    .option("--keep", "leave the lab up")
    .option("--tunnel <kind>", "tunnel of the migration")
    .action(demo);
}

async function up(flags: UpFlags): Promise<void> {
  const summary = await upLab(toUpOptions(flags));
  if (flags.json) printJson({ type: "lab", state: "up", ...summary });
  else print(describeUp(summary));
}

async function down(flags: CommonFlags): Promise<void> {
  const summary = await downLab(chosenLab(flags.lab));
  if (!flags.json) print(describeDown(summary));
  else {
    const { lab, wasUp, processes, namespaces } = summary;
    printJson({ type: "lab", state: "down", lab, was_up: wasUp, processes, namespaces });
  }
}

async function demo(flags: DemoFlags): Promise<void> {
  process.exitCode = await demoLab({
    ...toUpOptions(flags),
    keep: flags.keep ?? false,
    json: flags.json ?? false,
    tunnel: flags.tunnel,
    explain: print,
  });
}

async function kill(node: string, flags: CommonFlags): Promise<void> {
  const killed = await killDaemon(chosenLab(flags.lab), node);
  if (flags.json) printJson({ type: "daemon", node, killed });
  else print(killed ? `the daemon of ${node} is killed` : `${node} ran no daemon`);
}

async function restart(node: string, flags: CommonFlags): Promise<void> {
  const { pid } = await restartDaemon(chosenLab(flags.lab), node);
  if (flags.json) printJson({ type: "daemon", node, pid });
  else print(`the daemon of ${node} runs (process ${pid})`);
}

function common(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .addOption(labOption())
    .option("--json", "one JSON object a line, the last one the result");
}

function labOption(): Option {
  return new Option("--lab <name>", "name of the lab (default: $SOJOURN_LAB, else sojourn)");
}

function topologyOption(): Option {
  return new Option(
    "--topology <kind>",
    "routed (the default): each host is its guests' gateway; bridged: host-a's guests are on a LAN whose gateway is the router",
  ).choices(topologies);
}

function upOptions(command: Command): Command {
  return command
    .option("--hosts <n>", "hosts, each in its own subnet (1 to 8)", wholeNumber)
    .option("--guests <n>", "guests web1, web2, … on host-a", wholeNumber)
    .option("--memory <MiB>", "memory of each guest (from 80)", wholeNumber)
    .option("--guest-overlay <dir>", "files laid over the guest's, /etc/rc.local is run")
    .option("--guest-kernel <file>", "another kernel")
    .option("--guest-initrd <file>", "another initial RAM disk")
    .option("--guest-append <text>", "more words for the guest's kernel command line");
}

function toUpOptions(flags: UpFlags): UpOptions {
  return {
    lab: chosenLab(flags.lab),
    hosts: flags.hosts,
    anchors: flags.anchors,
    guestHome: flags.guestHome,
    guests: flags.guests,
    memoryMib: flags.memory,
    guestAppend: flags.guestAppend,
    libvirt: flags.libvirt,
    topology: flags.topology,
    linkMbps: flags.linkMbps,
    image: { kernel: flags.guestKernel, initrd: flags.guestInitrd, overlay: flags.guestOverlay },
    onProgress: (step, message) => {
      if (flags.json) printJson({ type: "progress", step, message });
      else print(`lab: ${message}`);
    },
  };
}

function wholeNumber(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Not a whole number.");
}

function describeUp({ lab, nodes, guests }: LabSummary): string {
  const option = lab === "sojourn" ? "" : ` --lab ${lab}`;
  const lines = guests.map(({ name, address, host }) => `  ${name} (${address}) on ${host}`);
  return [
    `The lab ${lab} is up: ${nodes.join(", ")}.`,
    ...lines,
    `Try: ./bin/sojourn lab exec${option} host-a -- sojourn guest ls`,
  ].join("\n");
}

function describeDown({ lab, wasUp, processes, namespaces }: DownSummary): string {
  if (!wasUp && processes === 0) return `There is no lab ${lab}.`;
  return `The lab ${lab} is removed: ${namespaces} namespaces, ${processes} processes.`;
}

function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
