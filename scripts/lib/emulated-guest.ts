import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { QmpConnection } from "../../src/hypervisor/qemu/qmp/connection.ts";
import { guestFiles } from "../../src/lab/guest-image.ts";
import { findTool } from "../../src/platform/command.ts";
import { createLogger } from "../../src/platform/log.ts";

const logger = createLogger("silent");
const processes = new Set<ChildProcess>();

/** One QEMU with the lab's guest image and QEMU's own user network. */
export class EmulatedGuest {
  readonly monitor: QmpConnection;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly streamUri: string;
  readonly #vcpuThread: number;
  onStatus: (status: string) => void = () => {};

  static killAll(): void {
    for (const child of processes) child.kill("SIGKILL");
  }

  /** @param incoming waits for the state of another process instead of booting */
  static async start(folder: string, name: string, incoming: boolean): Promise<EmulatedGuest> {
    const port = await freePort();
    const { kernel, initrd } = guestFiles({});
    const path = (what: string) => join(folder, `${name}.${what}`);
    const child = spawn(
      findTool("qemu-system-x86_64"),
      [
        ["-nodefaults", "-no-user-config", "-display", "none", "-S", "-machine", "pc"],
        ["-accel", "tcg", "-m", "128M", "-qmp", `unix:${path("qmp")},server=on,wait=off`],
        ["-netdev", `user,id=net0,hostfwd=tcp:127.0.0.1:${port}-10.0.2.15:7`],
        ["-device", "virtio-net-pci,netdev=net0,romfile="],
        ["-kernel", kernel, "-initrd", initrd, "-append"],
        ["quiet mitigations=off cryptomgr.notests=1 sojourn.address=10.0.2.15/24"],
        incoming ? ["-incoming", `unix:${path("stream")}`] : [],
      ].flat(),
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    processes.add(child);
    child.once("exit", () => processes.delete(child));
    let started: EmulatedGuest | null = null;
    const onEvent = (event: { name: string; data: Record<string, unknown> }) => {
      if (event.name === "MIGRATION") started?.onStatus(String(event.data.status));
    };
    const monitor = await connected(path("qmp"), child, onEvent);
    const cpus = (await monitor.execute("query-cpus-fast")) as { "thread-id": number }[];
    started = new EmulatedGuest(
      `unix:${path("stream")}`,
      port,
      child,
      monitor,
      cpus[0]?.["thread-id"] ?? 0,
    );
    await monitor.execute("migrate-set-capabilities", {
      capabilities: [{ capability: "events", state: true }],
    });
    return started;
  }

  private constructor(
    streamUri: string,
    port: number,
    child: ChildProcess,
    monitor: QmpConnection,
    vcpuThread: number,
  ) {
    this.streamUri = streamUri;
    this.port = port;
    this.#child = child;
    this.monitor = monitor;
    this.#vcpuThread = vcpuThread;
  }

  /** From HMP `info jit`. */
  async translated(): Promise<{ blocks: number; bytes: number }> {
    const text = String(
      await this.monitor.execute("human-monitor-command", { "command-line": "info jit" }),
    );
    const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? Number.NaN);
    return { blocks: number(/TB count\s+(\d+)/), bytes: number(/gen code size\s+(\d+)/) };
  }

  /** Time that the virtual CPU's thread has run (schedstat: nanoseconds). */
  async vcpuMs(): Promise<number> {
    const path = `/proc/${this.#child.pid}/task/${this.#vcpuThread}/schedstat`;
    return Number((await readFile(path, "utf8")).split(" ")[0]) / 1e6;
  }

  async end(): Promise<void> {
    this.monitor.close();
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/** The monitor's socket appears a moment after the process. */
async function connected(
  path: string,
  child: ChildProcess,
  onEvent: (event: { name: string; data: Record<string, unknown> }) => void,
): Promise<QmpConnection> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return await QmpConnection.open(path, { logger, onEvent });
    } catch (error) {
      if (child.exitCode !== null || performance.now() > deadline) throw error;
      await delay(20);
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
