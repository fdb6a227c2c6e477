import type { PlanLine } from "../platform/plan-line.ts";
import type { FdbEntry, Neighbour } from "./desired.ts";
import type { KernelRoute, KernelRule } from "./kernel-state.ts";
import type { SysctlMemoryEntry } from "./sysctl-memory.ts";

/** One thing to execute. A ruleset goes to nft in one transaction. */
export type Operation =
  | { kind: "command"; argv: readonly [string, ...string[]] }
  | { kind: "sysctl"; path: string; value: string }
  | { kind: "ruleset"; text: string };

/** What an action means, apart from the command line that says it. */
export type Change =
  | { kind: "add-link"; name: string; linkKind: "bridge" | "tun" }
  | { kind: "set-link"; name: string; set: LinkSettings }
  | { kind: "remove-link"; name: string }
  | { kind: "add-address"; device: string; address: string }
  | { kind: "add-route" | "replace-route" | "remove-route"; route: KernelRoute }
  | { kind: "add-rule" | "remove-rule"; rule: KernelRule }
  | { kind: "set-neighbour" | "remove-neighbour"; neighbour: Neighbour }
  | { kind: "set-fdb" | "remove-fdb"; entry: FdbEntry }
  | { kind: "set-sysctl"; path: string; value: string; remember: SysctlMemoryEntry | null }
  | { kind: "forget-sysctl"; path: string }
  | { kind: "load-tables"; ip: string | null; bridge: string | null };

export interface LinkSettings {
  mac?: string;
  up?: boolean;
  master?: string | null;
  txQueueLength?: number;
  learning?: boolean;
}

export interface Action {
  /** Whether it makes something that is missing or removes something of ours that is not wanted. */
  effect: "make" | "remove";
  change: Change;
  /** Null for what happens in memory only. */
  run: Operation | null;
  /** What takes it back; empty when that comes with another action's undo. */
  undo: readonly Operation[];
}

/** `ip …` as an operation. */
export function ip(...args: string[]): Operation {
  return { kind: "command", argv: ["ip", ...args] };
}

/** `bridge …` as an operation. */
export function bridge(...args: string[]): Operation {
  return { kind: "command", argv: ["bridge", ...args] };
}

/** The operation as a line (rulesets: lines) that can be pasted into a shell. */
export function describe(operation: Operation): string {
  switch (operation.kind) {
    case "command":
      return operation.argv.join(" ");
    case "sysctl":
      return `sysctl -w ${operation.path}=${operation.value}`;
    case "ruleset":
      return `nft -f - <<'END'\n${operation.text.trimEnd()}\nEND`;
  }
}

/** The actions as lines with their undo; those that happen in memory only are left out. */
export function planLines(actions: readonly Action[]): PlanLine[] {
  return actions.flatMap((action) =>
    action.run === null
      ? []
      : [
          {
            command: describe(action.run),
            undo: action.undo.length === 0 ? null : action.undo.map(describe).join("\n"),
          },
        ],
  );
}
