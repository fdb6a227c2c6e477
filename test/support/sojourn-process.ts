import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

const program = join(import.meta.dirname, "..", "..", "bin", "sojourn");

export interface FinishedProcess {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** Starts `bin/sojourn`, as a user would. */
export function spawnSojourn(
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcess {
  const inherited = { ...process.env, SOJOURN_LAB: "", ...env };
  return spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: inherited });
}

/** Runs `bin/sojourn` to its end. */
export async function runSojourn(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<FinishedProcess> {
  return finished(spawnSojourn(args, env));
}

export function finished(child: ChildProcess): Promise<FinishedProcess> {
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (data) => {
    stdout += data;
  });
  child.stderr?.on("data", (data) => {
    stderr += data;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

/** Resolves when the child's standard error or output says `text`; rejects when it ends before. */
export function said(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let heard = "";
    const listen = (data: Buffer) => {
      heard += data;
      if (heard.includes(text)) resolve();
    };
    child.stdout?.on("data", listen);
    child.stderr?.on("data", listen);
    child.on("close", () => reject(new Error(`ended without ${JSON.stringify(text)}: ${heard}`)));
  });
}
