import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { labPaths } from "../../../src/lab/layout.ts";
import type { KernelStates } from "./kernel-states.ts";

/** What a lab was like before the first fault. */
export interface KnownStates {
  /** With the guest at home. */
  kernel: KernelStates;
  /** With the guest away after a move that nothing disturbed; null until there was one. */
  away: KernelStates | null;
  /** Descriptors of each daemon, by kind, with the guest at home. */
  held: Record<string, Record<string, number>>;
}

/** What an earlier file has written of a lab that files share; null when it is a new one. */
export function readKnownStates(lab: string): KnownStates | null {
  try {
    return JSON.parse(readFileSync(pathOf(lab), "utf8")) as KnownStates;
  } catch {
    return null;
  }
}

/** Goes with the lab. */
export function writeKnownStates(lab: string, known: KnownStates): void {
  writeFileSync(pathOf(lab), JSON.stringify(known));
}

function pathOf(lab: string): string {
  return join(labPaths(lab).state, "known-states.json");
}
