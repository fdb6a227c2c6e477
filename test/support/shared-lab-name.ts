import { createHash } from "node:crypto";

/** Workers that files which share a lab run in at once, at most. */
export const mostSharedLabs = 2;

/** Each checkout has labs of its own, so that tests of two may run at once. */
const checkout = createHash("sha256")
  .update(import.meta.dirname)
  .digest("hex")
  .slice(0, 8);

/** Of the lab that files in one worker share; from 1 on. */
export function sharedLabName(worker: number): string {
  return `shared-${checkout}-${worker}`;
}
