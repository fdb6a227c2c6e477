import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { findTool, runCommand } from "../../src/platform/command.ts";

/** Two namespaces with a link between them: a client and a server at 198.51.100.2. */
export interface ProbePair extends AsyncDisposable {
  readonly clientPrefix: string[];
  readonly client: string;
  readonly server: string;
  readonly serverAddress: string;
  /** Starts a service of `probe-server.ts` and waits until it listens. */
  serve(service: string, port: number): Promise<ChildProcess>;
  setServerLink(state: "up" | "down"): Promise<void>;
}

const serverAddress = "198.51.100.2";

export async function createProbePair(): Promise<ProbePair> {
  const client = `sjprobe-c-${process.pid}`;
  const server = `sjprobe-s-${process.pid}`;
  const children: ChildProcess[] = [];
  const ip = (...args: string[]) => runCommand("ip", args);
  const removeAll = async () => {
    for (const child of children) await endChild(child);
    await runCommand("ip", ["netns", "del", client], { acceptExitCodes: [1] });
    await runCommand("ip", ["netns", "del", server], { acceptExitCodes: [1] });
  };
  try {
    await ip("netns", "add", client);
    await ip("netns", "add", server);
    const peer = ["peer", "name", "eth0", "netns", server];
    await ip("link", "add", "eth0", "netns", client, "type", "veth", ...peer);
    for (const [node, address] of [
      [client, "198.51.100.1/24"],
      [server, `${serverAddress}/24`],
    ] as const) {
      await ip("-n", node, "address", "add", address, "dev", "eth0");
      await ip("-n", node, "link", "set", "eth0", "up");
    }
  } catch (error) {
    await removeAll();
    throw error;
  }
  return {
    client,
    server,
    clientPrefix: inNamespace(client),
    serverAddress,
    serve: async (service, port) => {
      const child = spawnNode(inNamespace(server), "./probe-server.ts", [service, String(port)]);
      children.push(child);
      await firstOutput(child);
      return child;
    },
    setServerLink: async (state) => {
      await ip("-n", server, "link", "set", "eth0", state);
    },
    [Symbol.asyncDispose]: removeAll,
  };
}

/** Runs a script of this folder; its standard output can be read, its standard input held open. */
export function spawnNode(prefix: string[], script: string, args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const [program, ...rest] = [...prefix, process.execPath, path, ...args];
  return spawn(program as string, rest, { stdio: ["pipe", "pipe", "inherit"] });
}

export async function firstOutput(child: ChildProcess): Promise<string> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the child ended with ${code} before it said anything`);
  });
  const [data] = await Promise.race([once(child.stdout as NodeJS.ReadableStream, "data"), ended]);
  return String(data);
}

export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** One nft command in the server's namespace. */
export async function nftAtServer(pair: ProbePair, command: string): Promise<void> {
  await runCommand("ip", ["netns", "exec", pair.server, "nft", command]);
}

function inNamespace(name: string): string[] {
  return [findTool("nsenter"), `--net=/run/netns/${name}`, "--"];
}
