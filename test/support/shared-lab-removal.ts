import { downLab } from "../../src/lab/index.ts";
import { sharedLabName } from "./shared-lab.ts";

/** Before the first test: what a run that was killed left must not be taken for ours. */
export async function setup(): Promise<void> {
  await downLab(sharedLabName);
}

/** After the last test. */
export async function teardown(): Promise<void> {
  await downLab(sharedLabName);
}
