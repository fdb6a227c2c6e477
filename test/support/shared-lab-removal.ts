import { downLab } from "../../src/lab/index.ts";
import { mostSharedLabs, sharedLabName } from "./shared-lab-name.ts";

/** Before the first test: what a run that was killed left must not be taken for ours. */
export async function setup(): Promise<void> {
  await removeAll();
}

/** After the last test. */
export async function teardown(): Promise<void> {
  await removeAll();
}

async function removeAll(): Promise<void> {
  const workers = Array.from({ length: mostSharedLabs }, (_, index) => index + 1);
  await Promise.all(workers.map((worker) => downLab(sharedLabName(worker))));
}
