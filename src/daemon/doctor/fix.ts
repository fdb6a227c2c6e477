import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf } from "../../platform/errors.ts";
import { readIfThere, replaceFileDurably } from "../../platform/files.ts";
import { writeSysctl } from "../../routing/sysctls.ts";
import type { DoctorCheck } from "../services.ts";

/** Where settings are kept for the next boot (sysctl.d(5)). */
export const sysctlFile = "/etc/sysctl.d/60-sojourn.conf";

/** A kernel switch that is to have a value. */
export interface Setting {
  /** Below /proc/sys, with slashes. */
  path: string;
  value: string;
}

/** What `--fix` has done about one setting. */
export interface Fixed extends Setting {
  applied: boolean;
  /** Why not; null when it was applied. */
  error: string | null;
}

/** The settings that mend what `doctor` found on this host: switches below `net.ipv4` and nothing else. */
export function safeSettings(checks: readonly DoctorCheck[], host: string | null): Setting[] {
  const wanted = new Map<string, string>();
  for (const { fixable, mend, host: owner } of checks) {
    if (!fixable || mend === null || (owner !== null && owner !== host)) continue;
    for (const line of mend.split("\n")) {
      const setting = settingOf(line);
      if (setting !== null) wanted.set(setting.path, setting.value);
    }
  }
  return [...wanted].map(([path, value]) => ({ path, value }));
}

/** Applies the settings now, and writes those that could be applied into `file` for the next boot. */
export async function applySettings(
  settings: readonly Setting[],
  file: string | null = sysctlFile,
  write: (path: string, value: string) => Promise<void> = writeSysctl,
): Promise<Fixed[]> {
  const fixed: Fixed[] = [];
  for (const setting of settings) {
    const error = await write(setting.path, setting.value).then(
      () => null,
      (reason: unknown) => reasonOf(reason),
    );
    fixed.push({ ...setting, applied: error === null, error });
  }
  const applied = fixed.filter((one) => one.applied);
  if (file !== null && applied.length > 0) {
    await mkdir(dirname(file), { recursive: true });
    const text = (await readIfThere(file)) ?? "";
    replaceFileDurably(file, mergeSettings(text, applied), 0o644);
  }
  return fixed;
}

/** The file's text with these settings in it: lines that say something else stay, in their order. Pure. */
export function mergeSettings(text: string, settings: readonly Setting[]): string {
  const kept = (text === "" ? [header] : text.trimEnd().split("\n")).filter((line) => {
    const path = pathInLine(line);
    return path === null || !settings.some((setting) => setting.path === path);
  });
  return `${[...kept, ...settings.map(({ path, value }) => `${path} = ${value}`)].join("\n")}\n`;
}

const header = "# Written by `sojourn doctor --fix`: what Sojourn needs of the kernel.";

/** A line `sysctl -w NAME=VALUE`; null for anything else. */
function settingOf(line: string): Setting | null {
  const match = /^sysctl -w (net[./]ipv4[./][A-Za-z0-9._/-]{1,100})=([0-9]{1,9})$/.exec(line);
  const [, name, value] = match ?? [];
  if (name === undefined || value === undefined || name.includes("..")) return null;
  return { path: pathOf(name), value };
}

/** With dots as separators, unless there are slashes (sysctl.d(5)). */
function pathOf(name: string): string {
  return name.includes("/") ? name : name.replaceAll(".", "/");
}

function pathInLine(line: string): string | null {
  const name = /^\s*-?\s*([^#;\s=][^\s=]*)\s*=/.exec(line)?.[1];
  return name === undefined ? null : pathOf(name);
}
