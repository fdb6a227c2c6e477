import { CommandError, runCommand } from "../../platform/command.ts";
import { reasonOf } from "../../platform/errors.ts";

/** What asks the kernel to track, without anything else. */
const table = "table ip sojourn_check {\nchain tracking {\nct state established\n}\n}\n";

/**
 * Whether this kernel has what our table asks of it where connections are tracked (nft_ct): otherwise it would refuse all
 * of that table. Loads nothing.
 * @returns null when it has, otherwise why not.
 */
export async function whyNotTracked(run: typeof runCommand = runCommand): Promise<string | null> {
  try {
    await run("nft", ["--check", table]);
    return null;
  } catch (error) {
    const said = error instanceof CommandError ? error.stderr.trim().split("\n")[0] : "";
    return said || reasonOf(error);
  }
}
