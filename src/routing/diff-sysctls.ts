import type { Action } from "./actions.ts";
import type { DesiredState } from "./desired.ts";
import type { KernelState } from "./kernel-state.ts";
import type { SysctlMemory } from "./sysctl-memory.ts";

/** Switches that do not have the wanted value; the value before our first change is remembered. */
export function makeSysctls(
  kernel: KernelState,
  desired: DesiredState,
  memory: SysctlMemory,
): Action[] {
  return desired.sysctls.flatMap(({ path, value, ifThere }) => {
    const now = kernel.sysctls.get(path) ?? null;
    if (now === value || (now === null && ifThere)) return [];
    const original = memory.get(path)?.original ?? now;
    return [
      {
        effect: "make" as const,
        change: { kind: "set-sysctl" as const, path, value, remember: { original, ours: value } },
        run: { kind: "sysctl" as const, path, value },
        undo: now === null ? [] : [{ kind: "sysctl" as const, path, value: now }],
      },
    ];
  });
}

/**
 * Switches that we changed and that are not wanted any more get their earlier value back, unless the device
 * is gone (or going) or somebody else has changed them since.
 */
export function restoreSysctls(
  kernel: KernelState,
  desired: DesiredState,
  memory: SysctlMemory,
  goingDevices: ReadonlySet<string>,
): Action[] {
  const wanted = new Set(desired.sysctls.map(({ path }) => path));
  return [...memory].flatMap(([path, { original, ours }]): Action[] => {
    if (wanted.has(path)) return [];
    const now = kernel.sysctls.get(path) ?? null;
    const isGoing = path.split("/").some((part) => goingDevices.has(part));
    if (isGoing || original === null || now === original || now !== ours) {
      const change = { kind: "forget-sysctl", path } as const;
      return [{ effect: "remove", change, run: null, undo: [] }];
    }
    return [
      {
        effect: "remove",
        change: { kind: "set-sysctl", path, value: original, remember: null },
        run: { kind: "sysctl", path, value: original },
        undo: [{ kind: "sysctl", path, value: now }],
      },
    ];
  });
}
