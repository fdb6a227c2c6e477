import { accessSync, closeSync, constants, openSync } from "node:fs";
import { execa } from "execa";
import { preconditionError, SojournError } from "./errors.ts";

export interface CommandOptions {
  timeoutMs?: number;
  /** Output beyond this many bytes fails the command. */
  maxOutputBytes?: number;
  signal?: AbortSignal;
  /** For the child's standard input; without it the child reads from nothing. */
  input?: string | Uint8Array;
  env?: Record<string, string>;
  /** Exit codes other than 0 that are an answer, not a failure. */
  acceptExitCodes?: readonly number[];
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** A child that failed: what was run, how it ended and the end of what it said. */
export class CommandError extends SojournError {
  readonly commandLine: string;
  readonly childExitCode: number | null;
  readonly stderr: string;

  constructor(commandLine: string, childExitCode: number | null, stderr: string, reason: string) {
    const said = stderr.trim().slice(-600);
    super("SOJ_COMMAND_FAILED", `${commandLine}: ${said === "" ? reason : said}`);
    this.commandLine = commandLine;
    this.childExitCode = childExitCode;
    this.stderr = stderr;
  }
}

/**
 * Runs a program without a shell, with `LC_ALL=C`, a time-out and bounded output.
 * The child's process group is ended when the time-out or the signal fires.
 * @throws SojournError `SOJ_DESCRIPTORS` when this process may not open what a child needs; CommandError when it
 * cannot start, times out, prints too much or exits with an unaccepted code.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  requireDescriptors(program);
  const result = await execa(findTool(program), args, {
    reject: false,
    timeout: options.timeoutMs ?? 10_000,
    maxBuffer: options.maxOutputBytes ?? 8 * 1024 * 1024,
    stripFinalNewline: false,
    extendEnv: true,
    env: { LC_ALL: "C", ...options.env },
    killSignal: "SIGKILL",
    ...(options.input === undefined ? { stdin: "ignore" as const } : { input: options.input }),
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  const accepted = options.acceptExitCodes ?? [];
  const exitCode = result.exitCode ?? null;
  if (exitCode === 0 || (exitCode !== null && accepted.includes(exitCode))) {
    return { exitCode, stdout: result.stdout, stderr: result.stderr };
  }
  throw new CommandError(
    [program, ...args].join(" "),
    exitCode,
    String(result.stderr ?? ""),
    failureReason(result, options.timeoutMs ?? 10_000),
  );
}

/** What starting a child takes: three pipes with two ends each, libuv's own pipe, and some to spare. */
const neededDescriptors = 12;

/**
 * For whoever starts a child. Asked first, because Node tells of a child whose pipes could not be made with an event on
 * an object that nobody has yet, which ends the process (`ChildProcess.prototype.spawn` in
 * lib/internal/child_process.js, EMFILE).
 * @throws SojournError `SOJ_DESCRIPTORS`.
 */
export function requireDescriptors(program: string): void {
  const opened: number[] = [];
  try {
    while (opened.length < neededDescriptors) opened.push(openSync("/dev/null", "r"));
  } catch (cause) {
    throw new SojournError("SOJ_DESCRIPTORS", `${program} was not run: no descriptors are left`, {
      cause,
      retryable: true,
      hint: "raise the daemon's limit (LimitNOFILE= in its unit), or find out who opens so many: ls /proc/PID/fd",
    });
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

const toolFolders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];
const foundTools = new Map<string, string>();

/**
 * Absolute path of a system tool, looked for in the system's folders only, never in `PATH`.
 * @throws SojournError `SOJ_TOOL_MISSING` with the package that usually brings it.
 */
export function findTool(name: string): string {
  if (name.startsWith("/")) return name;
  const known = foundTools.get(name);
  if (known !== undefined) return known;
  for (const folder of toolFolders) {
    const path = `${folder}/${name}`;
    if (isExecutable(path)) {
      foundTools.set(name, path);
      return path;
    }
  }
  throw preconditionError("SOJ_TOOL_MISSING", `${name} is not installed`, {
    hint: `apt-get install ${packageOf[name] ?? name} (./scripts/setup installs everything that is needed)`,
  });
}

const packageOf: Record<string, string> = {
  ip: "iproute2",
  tc: "iproute2",
  bridge: "iproute2",
  ss: "iproute2",
  nft: "nftables",
  "systemd-notify": "systemd",
  ping: "iputils-ping",
  nsenter: "util-linux",
  setpriv: "util-linux",
  ionice: "util-linux",
  nice: "coreutils",
  unshare: "util-linux",
  "qemu-system-x86_64": "qemu-system-x86",
  libvirtd: "libvirt-daemon libvirt-daemon-driver-qemu",
  virsh: "libvirt-clients",
  nsupdate: "bind9-dnsutils",
  dig: "bind9-dnsutils",
  named: "bind9",
  "tsig-keygen": "bind9",
};

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function failureReason(
  result: { timedOut: boolean; isMaxBuffer: boolean; isCanceled: boolean; exitCode?: number },
  timeoutMs: number,
): string {
  if (result.timedOut) return `no end within ${timeoutMs} ms`;
  if (result.isMaxBuffer) return "too much output";
  if (result.isCanceled) return "cancelled";
  if (result.exitCode === undefined) return "could not be run or was killed";
  return `exit code ${result.exitCode}`;
}
