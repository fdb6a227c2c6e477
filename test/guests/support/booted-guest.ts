import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { runCommand } from "../../../src/platform/command.ts";

const image = (name: string): string =>
  fileURLToPath(new URL(`../../../build/guest/${name}`, import.meta.url));
const clientProgram = fileURLToPath(new URL("image-client.ts", import.meta.url));

/** A guest on a tap in a network namespace of its own, where its peers run too. */
export interface BootedGuest extends AsyncDisposable {
  readonly memoryFile: string;
  /** Lines of the console so far. */
  readonly console: readonly string[];
  /** First console line, past or future, that matches. */
  line(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Runs a check of image-client.ts in the namespace and returns the JSON it prints. */
  client(check: string): Promise<unknown>;
  qmp(command: string): Promise<void>;
  /** Resolves with QEMU's exit code. */
  readonly ended: Promise<number | null>;
}

/** Boots the lab's guest image under software emulation and waits until it is ready. */
export async function bootGuest(
  options: { initrd?: string; append?: string } = {},
): Promise<BootedGuest> {
  const kernel = image("vmlinuz");
  const initrd = options.initrd ?? image("initramfs.cpio.gz");
  if (!existsSync(kernel) || !existsSync(initrd)) {
    throw new Error("the guest image is not built; run scripts/setup");
  }
  const stack = new AsyncDisposableStack();
  try {
    const folder = await mkdtemp(join(tmpdir(), "sojourn-image-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    const namespace = `soj-image-${process.pid}`;
    const ip = (...args: string[]) => runCommand("ip", args);
    await ip("netns", "add", namespace);
    stack.defer(async () => void (await ip("netns", "del", namespace)));
    await ip("-n", namespace, "link", "set", "lo", "up");
    await ip("-n", namespace, "tuntap", "add", "tap0", "mode", "tap");
    await ip("-n", namespace, "address", "add", "10.1.0.1/24", "dev", "tap0");
    await ip("-n", namespace, "link", "set", "tap0", "up");

    const qemu = spawn(
      "/usr/sbin/ip",
      ["netns", "exec", namespace, ...qemuCommand(folder, kernel, initrd, options.append ?? "")],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    const ended = once(qemu, "exit").then(([code]) => code as number | null);
    stack.defer(async () => {
      qemu.kill("SIGKILL");
      await ended;
    });
    const consoleLog = new ConsoleLog(qemu);
    await consoleLog.line(/sojourn-guest: ready/);
    return {
      memoryFile: join(folder, "memory"),
      console: consoleLog.lines,
      line: (pattern, timeoutMs) => consoleLog.line(pattern, timeoutMs),
      client: async (check) => {
        const args = ["netns", "exec", namespace, process.execPath, clientProgram, check];
        return JSON.parse((await runCommand("ip", args, { timeoutMs: 60_000 })).stdout);
      },
      qmp: (command) => qmpOnce(join(folder, "qmp"), command),
      ended,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

function qemuCommand(folder: string, kernel: string, initrd: string, append: string): string[] {
  return [
    ["/usr/bin/qemu-system-x86_64", "-machine", "pc,memory-backend=ram", "-accel", "tcg"],
    ["-object", `memory-backend-file,id=ram,size=128M,share=on,mem-path=${folder}/memory`],
    ["-m", "128", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio"],
    ["-qmp", `unix:${folder}/qmp,server=on,wait=off`],
    ["-netdev", "tap,id=net0,ifname=tap0,script=no,downscript=no"],
    ["-device", "virtio-net-pci,netdev=net0,mac=52:54:00:00:00:0a"],
    ["-kernel", kernel, "-initrd", initrd, "-append"],
    [
      "console=ttyS0 quiet mitigations=off cryptomgr.notests=1 sojourn.hostname=web1 " +
        `sojourn.address=10.1.0.10/24 sojourn.gateway=10.1.0.1 ${append}`,
    ],
  ].flat();
}

class ConsoleLog {
  readonly lines: string[] = [];
  readonly #qemu: ChildProcess;
  readonly #waiting = new Set<() => void>();

  constructor(qemu: ChildProcess) {
    this.#qemu = qemu;
    if (qemu.stdout === null) throw new Error("QEMU was started without a console");
    createInterface({ input: qemu.stdout }).on("line", (line) => {
      this.lines.push(line);
      for (const look of this.#waiting) look();
    });
  }

  line(pattern: RegExp, timeoutMs = 30_000): Promise<string> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void) => {
        this.#waiting.delete(look);
        this.#qemu.off("exit", fail);
        clearTimeout(timer);
        finish();
      };
      const look = () => {
        const found = this.lines.find((line) => pattern.test(line));
        if (found !== undefined) settle(() => resolve(found));
      };
      const fail = () => {
        const last = this.lines.slice(-20).join("\n");
        settle(() =>
          reject(new Error(`no console line matches ${pattern}; the last ones:\n${last}`)),
        );
      };
      const timer = setTimeout(fail, timeoutMs);
      this.#qemu.once("exit", fail);
      this.#waiting.add(look);
      look();
    });
  }
}

/** One QMP command on a connection of its own; resolves when it has been answered. */
async function qmpOnce(path: string, command: string): Promise<void> {
  const socket = createConnection(path);
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  await replies.next();
  for (const execute of ["qmp_capabilities", command]) {
    socket.write(`${JSON.stringify({ execute })}\n`);
    let reply: { return?: unknown; error?: unknown } = {};
    while (reply.return === undefined) {
      const next = await replies.next();
      if (next.done === true) throw new Error(`QEMU closed the connection at ${execute}`);
      reply = JSON.parse(next.value);
      if (reply.error !== undefined) throw new Error(`${execute}: ${next.value}`);
    }
  }
  socket.destroy();
}
