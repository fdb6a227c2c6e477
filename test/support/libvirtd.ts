import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { delay, monotonicMs } from "../../src/platform/clock.ts";
import { findTool } from "../../src/platform/command.ts";
import type { Namespace } from "./namespaces.ts";

const program = fileURLToPath(new URL("./programs/libvirtd.sh", import.meta.url));
const startTimeoutMs = 20_000;
const insideOwnNamespaces = "unshare --mount --uts --pid --fork --mount-proc --kill-child";

/** A libvirtd of its own that lives, with its guests, until it is disposed of. */
export interface Libvirtd extends AsyncDisposable {
  /** Its socket, as it is seen from here. */
  readonly socket: string;
  /** To libvirtd alone, not to its guests. */
  signal(name: NodeJS.Signals): void;
  /** The end of what it said. */
  log(): string;
}

/**
 * Starts Debian's libvirtd inside `network`, as the host `name`.
 * @throws when libvirtd is missing or does not open its socket.
 */
export async function startLibvirtd(network: Namespace, name: string): Promise<Libvirtd> {
  findTool("libvirtd");
  const folder = await mkdtemp(join(tmpdir(), `libvirtd-${name}-`));
  await mkdir(join(folder, "run"));
  const inside = insideOwnNamespaces.split(" ");
  const args = ["netns", "exec", network.name, ...inside, "sh", program, folder, name];
  const child = spawn(findTool("ip"), args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8000);
    });
  }
  const libvirtd: Libvirtd = {
    socket: join(folder, "run", "libvirt-sock"),
    signal: (signal) => void process.kill(libvirtdOf(child), signal),
    log: () => said,
    [Symbol.asyncDispose]: () => end(child, folder),
  };
  try {
    await untilListening(child, libvirtd);
    return libvirtd;
  } catch (error) {
    await libvirtd[Symbol.asyncDispose]();
    throw error;
  }
}

async function untilListening(child: ChildProcess, { socket, log }: Libvirtd): Promise<void> {
  const deadlineMs = monotonicMs() + startTimeoutMs;
  while (!existsSync(socket)) {
    if (child.exitCode !== null || monotonicMs() > deadlineMs) {
      throw new Error(`libvirtd did not start: ${log()}`);
    }
    await delay(20);
  }
}

/** The kernel ends everything in the PID namespace with its first process. */
async function end(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  await rm(folder, { recursive: true, force: true });
}

/** Its number outside of its namespace: unshare's child is the shell, whose child it is. */
function libvirtdOf({ pid }: ChildProcess): number {
  const [shell] = childrenOf(pid ?? 0);
  const found = childrenOf(shell ?? 0).find((one) => {
    return readFileSync(`/proc/${one}/comm`, "utf8").trim() === "libvirtd";
  });
  if (found === undefined) throw new Error("libvirtd has ended");
  return found;
}

function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return list.split(" ").filter(Boolean).map(Number);
}
