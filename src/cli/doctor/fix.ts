import { createInterface } from "node:readline/promises";
import {
  applySettings,
  type Fixed,
  type Setting,
  safeSettings,
  sysctlFile,
} from "../../daemon/doctor/fix.ts";
import type { DoctorCheck } from "../../daemon/services.ts";
import { usageError } from "../../platform/errors.ts";
import type { Output } from "../output.ts";

/**
 * Tells which kernel switches it will set, asks, sets them and keeps them for the next boot.
 * @returns what it has done.
 * @throws SojournError `SOJ_USAGE` where nobody can be asked and `--yes` is not given.
 */
export async function fixNow(
  output: Output,
  host: string | null,
  checks: readonly DoctorCheck[],
  yes: boolean,
): Promise<Fixed[]> {
  const settings = safeSettings(checks, host);
  if (settings.length === 0) {
    output.line("nothing to fix: no kernel switch is wrong");
    return [];
  }
  // The hosts of a lab have kernel switches, but no boot, of their own.
  const file = process.env.SOJOURN_LAB_NODE ? null : sysctlFile;
  output.line(describe(settings, file));
  if (!yes) await askWhether();
  const fixed = await applySettings(settings, file);
  for (const { path, error } of fixed) {
    if (error !== null) output.line(`failed: ${path}: ${error}`);
  }
  return fixed;
}

function describe(settings: readonly Setting[], file: string | null): string {
  const lines = settings.map(({ path, value }) => `  ${path} = ${value}`);
  const kept = file === null ? "until the next boot" : `and write into ${file}`;
  return [`will set ${kept}:`, ...lines].join("\n");
}

async function askWhether(): Promise<void> {
  if (!process.stdin.isTTY) throw usageError("--fix asks before it changes anything", "add --yes");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question("do it? [y/N] ");
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    terminal.close();
  }
  throw usageError("nothing was changed", "answer y, or give --yes");
}
