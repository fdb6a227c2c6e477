import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { preconditionError, reasonOf, SojournError } from "../../platform/errors.ts";
import { hookMark } from "./script.ts";

/** Where libvirt looks for hooks. */
export const libvirtHooksFolder = "/etc/libvirt/hooks";

const scriptName = "sojourn";

export interface HookChange {
  type: "libvirt-hooks";
  path: string;
  done: "installed" | "replaced" | "unchanged" | "removed" | "absent";
  /** libvirt found no hook for QEMU when it started, and looks again only when it is told to, or is started again. */
  reload_needed: boolean;
}

/**
 * Puts the hook where libvirt (from 6.5 on) finds it, beside everybody else's.
 * @throws SojournError `SOJ_LIBVIRT_MISSING` without libvirt's folder, `SOJ_HOOK_FOREIGN` for a file that is not ours,
 *   `SOJ_HOOK_FOLDER` when the folder cannot be written
 */
export function installHook(script: string, folder: string = libvirtHooksFolder): HookChange {
  return inFolder(folder, () => {
    const path = join(folder, "qemu.d", scriptName);
    if (!isThere(join(folder, ".."))) {
      throw preconditionError("SOJ_LIBVIRT_MISSING", `there is no ${join(folder, "..")}`, {
        hint: "install libvirt on this host first",
      });
    }
    const found = ownText(path);
    if (found === script && isExecutable(path)) return change(path, "unchanged", false);
    const reload = !hasHooks(folder);
    mkdirSync(join(folder, "qemu.d"), { recursive: true, mode: 0o755 });
    // libvirt runs whatever is in the folder: a file that is not whole yet must not be there.
    const whole = join(folder, `.${scriptName}.new`);
    rmSync(whole, { force: true });
    writeFileSync(whole, script, { mode: 0o755, flag: "wx" });
    chmodSync(whole, 0o755);
    renameSync(whole, path);
    return change(path, found === null ? "installed" : "replaced", reload);
  });
}

/** Takes the hook away; nothing when there is none. @throws SojournError `SOJ_HOOK_FOREIGN`, `SOJ_HOOK_FOLDER` */
export function removeHook(folder: string = libvirtHooksFolder): HookChange {
  return inFolder(folder, () => {
    const path = join(folder, "qemu.d", scriptName);
    if (ownText(path) === null) return change(path, "absent", false);
    rmSync(path);
    return change(path, "removed", false);
  });
}

function change(path: string, done: HookChange["done"], reload_needed: boolean): HookChange {
  return { type: "libvirt-hooks", path, done, reload_needed };
}

function inFolder(folder: string, work: () => HookChange): HookChange {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof SojournError) throw cause;
    throw preconditionError("SOJ_HOOK_FOLDER", `${folder} cannot be changed: ${reasonOf(cause)}`, {
      ...{ cause, hint: "run it as root, where /etc can be written" },
    });
  }
}

/** Null where there is nothing. */
function ownText(path: string): string | null {
  if (!isThere(path)) return null;
  const text = lstatSync(path).isFile() ? readFileSync(path, "utf8") : "";
  if (text.includes(hookMark)) return text;
  throw preconditionError("SOJ_HOOK_FOREIGN", `${path} is not Sojourn's, and was left as it is`, {
    hint: "move it away, or give it another name in the same folder: libvirt runs all of them",
  });
}

/** Whether libvirt, when it last looked, may have found a hook for QEMU. */
function hasHooks(folder: string): boolean {
  if (isExecutable(join(folder, "qemu"))) return true;
  const several = join(folder, "qemu.d");
  return isThere(several) && readdirSync(several).some((name) => isExecutable(join(several, name)));
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return lstatSync(path).isFile() || lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}
