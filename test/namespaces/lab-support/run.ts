import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..", "..");
/** The command line as a user calls it. */
export const sojourn = join(root, "bin", "sojourn");

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. `onOutput` sees standard output so far and may send a signal. */
export function run(
  argv: readonly string[],
  options: {
    input?: string;
    env?: Record<string, string>;
    onOutput?: (stdout: string, kill: (signal: NodeJS.Signals) => void) => void;
  } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const [program, ...args] = argv as [string, ...string[]];
    const child = spawn(program, args, { env: { ...process.env, ...options.env } });
    const ended: Ended = { code: null, signal: null, stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      ended.stdout += chunk;
      options.onOutput?.(ended.stdout, (signal) => child.kill(signal));
    });
    child.stderr.on("data", (chunk) => {
      ended.stderr += chunk;
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ ...ended, code, signal }));
  });
}

/** An executable that runs stand-in.ts in place of the real program, `mode` deciding what it does. */
export function standIn(mode: string): { program: string; [Symbol.dispose](): void } {
  const folder = mkdtempSync(join(tmpdir(), "lab-stand-in-"));
  const program = join(folder, "sojourn");
  const script = join(import.meta.dirname, "stand-in.ts");
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${script}' ${mode} "$@"\n`);
  chmodSync(program, 0o755);
  return { program, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
