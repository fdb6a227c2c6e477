import { CommandError } from "../platform/command.ts";
import { isProbeName, linkGroup, probeNames } from "./identity.ts";
import { readLinks } from "./inspect.ts";
import type { Recipe } from "./recipe.ts";
import type { Run } from "./steps.ts";

/** Asks the kernel by making the recipe's device and removing it again; never by version. */
export async function probeKernel(
  run: Run,
  recipe: Recipe,
): Promise<{ supported: boolean; reason: string | null }> {
  const [name, peer] = probeNames();
  const device = ["name", name, "group", `${linkGroup}`, ...recipe.probeArguments(peer)];
  try {
    await run("ip", ["link", "add", ...device]);
  } catch (error) {
    return { supported: false, reason: reasonOf(error) };
  }
  try {
    await recipe.probeFurther?.(name);
    return { supported: true, reason: null };
  } catch (error) {
    return { supported: false, reason: reasonOf(error) };
  } finally {
    await run("ip", ["link", "del", "dev", name]);
  }
}

/** Removes the devices of questions whose daemon died before it had removed them. */
export async function removeProbeLeftovers(run: Run): Promise<void> {
  for (const { name, group } of await readLinks(run)) {
    if (!isProbeName(name) || group !== String(linkGroup)) continue;
    await run("ip", ["link", "del", "dev", name]);
  }
}

/** The tool's own words, without the label that iproute2 puts before them. */
function reasonOf(error: unknown): string {
  const said = error instanceof CommandError ? error.stderr.trim().split("\n")[0] : undefined;
  const message = said || (error instanceof Error ? error.message : String(error));
  return message.replace(/^Error: /, "");
}
