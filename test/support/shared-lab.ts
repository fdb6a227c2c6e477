import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { daemonOf } from "./daemon-of.ts";
import { configurationPath, TestLab } from "./lab.ts";

/** Each checkout has its own, so that tests of two may run at once. */
export const sharedLabName = `shared-${createHash("sha256")
  .update(import.meta.dirname)
  .digest("hex")
  .slice(0, 8)}`;

const hosts = ["host-a", "host-b"] as const;

/**
 * A lab of two hosts with web1 at home for all files that have no wishes of their own: to build one takes longer than
 * most tests. The first file builds it, one that finds it in disorder builds it anew, and the end of the run removes
 * it (shared-lab-removal.ts). Disposing of it leaves it.
 */
export async function sharedLab(): Promise<TestLab> {
  return (await standingSharedLab()) ?? (await newSharedLab());
}

/** The same where it stands and is in order. */
export async function standingSharedLab(): Promise<TestLab | null> {
  return (await isInOrder()) ? TestLab.shared(sharedLabName) : null;
}

/** The same, built anew. */
export async function newSharedLab(): Promise<TestLab> {
  await TestLab.up(sharedLabName, ["--hosts", "2"]);
  return TestLab.shared(sharedLabName);
}

/** Its guest runs at home, nothing is under way, and its daemons have the configuration that they came with. */
async function isInOrder(): Promise<boolean> {
  try {
    const [home, ...others] = await Promise.all(
      hosts.map((host) => daemonOf(sharedLabName, host).listGuests()),
    );
    const open = await Promise.all(
      hosts.map((host) =>
        Array.fromAsync(daemonOf(sharedLabName, host).eachMigration({ isOpen: true })),
      ),
    );
    return (
      home?.find(({ name }) => name === "web1")?.state === "running" &&
      others.every((guests) => guests.length === 0) &&
      open.flat().length === 0 &&
      hosts.every((host) => !hasPolicy(host))
    );
  } catch {
    return false;
  }
}

function hasPolicy(host: string): boolean {
  return readFileSync(configurationPath(sharedLabName, host), "utf8").includes("[migration]");
}
