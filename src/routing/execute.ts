import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { CommandError, runCommand } from "../platform/command.ts";
import { type Action, describe, type Operation } from "./actions.ts";
import { BatchError, runLines } from "./batch.ts";
import { applyFailed } from "./failures.ts";
import type { SysctlMemory, SysctlMemoryEntry, SysctlStore } from "./sysctl-memory.ts";
import { isMissing, writeSysctl } from "./sysctls.ts";

/**
 * Executes the actions in order. When one fails, those before it are undone in reverse.
 * @throws SojournError `SOJ_ROUTING_APPLY_FAILED` naming the line that failed.
 */
export async function executeAll(actions: readonly Action[], store: SysctlStore): Promise<void> {
  const before = await store.read();
  const after = memoryAfter(before, actions);
  const done: Action[] = [];
  if (actions.some(touchesMemory)) await store.write(new Map([...before, ...after]));
  for (const group of groupsOf(actions)) {
    try {
      await executeGroup(group);
      done.push(...group);
    } catch (cause) {
      const executed = cause instanceof BatchError ? cause.done : 0;
      const doubtful = executed === null ? group : [];
      done.push(...group.slice(0, executed ?? 0));
      const notUndone = [...(await undoDoubtful(doubtful)), ...(await undoAll(done))];
      if (actions.some(touchesMemory)) await store.write(before);
      throw applyFailed(
        executed === null ? `one of ${group.map(nameOf).join("; ")}` : nameOf(group[executed]),
        cause,
        done.filter((action) => action.run !== null).length,
        notUndone,
      );
    }
  }
  if (actions.some(touchesMemory)) await store.write(after);
}

/** Executes one operation. */
export async function execute(operation: Operation): Promise<void> {
  switch (operation.kind) {
    case "command": {
      const [program, ...args] = operation.argv;
      await runCommand(program, args);
      return;
    }
    case "sysctl":
      await writeSysctl(operation.path, operation.value);
      return;
    case "ruleset":
      await loadRuleset(operation.text);
      return;
  }
}

/** Actions that follow one another and are lines of the same program go together; every other one is alone. */
function groupsOf(actions: readonly Action[]): Action[][] {
  const groups: Action[][] = [];
  for (const action of actions) {
    const group = groups.at(-1);
    const program = batchable(action.run);
    if (group !== undefined && program !== null && batchable(group[0]?.run ?? null) === program) {
      group.push(action);
    } else groups.push([action]);
  }
  return groups;
}

/** The program of a line that can stand in a batch of it; null for everything else. */
function batchable(run: Operation | null): "ip" | "bridge" | null {
  if (run?.kind !== "command") return null;
  const [program, ...words] = run.argv;
  if (program !== "ip" && program !== "bridge") return null;
  return words.every((word) => /^[\w.:/-]+$/.test(word)) ? program : null;
}

async function executeGroup(group: readonly Action[]): Promise<void> {
  const [first] = group;
  if (group.length === 1) {
    if (first?.run != null) await execute(first.run);
    return;
  }
  const lines = group.flatMap(({ run }) => (run?.kind === "command" ? [run.argv] : []));
  await runLines(
    lines.slice(0, 1).map(([program]) => program),
    lines.map(([, ...words]) => words),
  );
}

/** nft cannot read what Node pipes to it, so the text goes through a file. */
async function loadRuleset(text: string): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/sojourn-nft-`);
  try {
    await writeFile(`${folder}/ruleset`, text, { mode: 0o600 });
    await runCommand("nft", ["-f", `${folder}/ruleset`]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function nameOf(action: Action | undefined): string {
  return action?.run == null ? String(action?.change.kind) : describe(action.run);
}

async function undoAll(done: readonly Action[], isUndone = isMissing): Promise<string[]> {
  const failed: string[] = [];
  for (const action of done.toReversed()) {
    for (const operation of action.undo) {
      try {
        await execute(operation);
      } catch (error) {
        if (!isUndone(error)) failed.push(describe(operation));
      }
    }
  }
  return failed;
}

/** Where nobody knows how far it came, all of it may be there, or none. */
function undoDoubtful(actions: readonly Action[]): Promise<string[]> {
  return undoAll(actions, saysNothingToUndo);
}

/** What iproute2 and the kernel say to an undo of what was never done. */
function saysNothingToUndo(error: unknown): boolean {
  const said = /File exists|No such (process|file|device)|Cannot find device|does not exist/;
  return isMissing(error) || (error instanceof CommandError && said.test(error.stderr));
}

function memoryAfter(before: SysctlMemory, actions: readonly Action[]): SysctlMemory {
  const after = new Map<string, SysctlMemoryEntry>(before);
  for (const { change } of actions) {
    if (change.kind === "forget-sysctl") after.delete(change.path);
    if (change.kind !== "set-sysctl") continue;
    if (change.remember === null) after.delete(change.path);
    else after.set(change.path, change.remember);
  }
  return after;
}

function touchesMemory({ change }: Action): boolean {
  return change.kind === "set-sysctl" || change.kind === "forget-sysctl";
}
