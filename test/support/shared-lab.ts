import { readFileSync } from "node:fs";
import { daemonOf } from "./daemon-of.ts";
import { configurationPath, TestLab } from "./lab.ts";
import { sharedLabName } from "./shared-lab-name.ts";

/** As vitest counts its workers. */
const labName = sharedLabName(Number(process.env.VITEST_POOL_ID ?? 1));

const hosts = ["host-a", "host-b"] as const;

/**
 * A lab of two hosts with web1 at home for all files that have no wishes of their own: to build one takes longer than
 * most tests. Each worker has one: its first file builds it, one that finds it in disorder builds it anew, and the end of the
 * run removes it (shared-lab-removal.ts). Disposing of it leaves it.
 */
export async function sharedLab(): Promise<TestLab> {
  return (await standingSharedLab()) ?? (await newSharedLab());
}

/** The same where it stands and is in order. */
export async function standingSharedLab(): Promise<TestLab | null> {
  return (await isInOrder()) ? TestLab.shared(labName) : null;
}

/** The same, built anew. */
export async function newSharedLab(): Promise<TestLab> {
  await TestLab.up(labName, ["--hosts", "2"]);
  return TestLab.shared(labName);
}

/** Its guest runs at home, nothing is under way, and its daemons have the configuration that they came with. */
async function isInOrder(): Promise<boolean> {
  try {
    const [home, ...others] = await Promise.all(
      hosts.map((host) => daemonOf(labName, host).listGuests()),
    );
    const open = await Promise.all(
      hosts.map((host) => Array.fromAsync(daemonOf(labName, host).eachMigration({ isOpen: true }))),
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
  return readFileSync(configurationPath(labName, host), "utf8").includes("[migration]");
}
