import { absolutePath, type GuestDefinition } from "../../hypervisor/definition.ts";
import type { OpenStorage } from "../../hypervisor/hypervisor.ts";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import type { PeerCaller } from "../../platform/procedures.ts";
import { within } from "../../platform/waiting.ts";
import { type CompareOptions, compareStorage } from "./compare.ts";
import { type FileUse, usesWhileRunning } from "./file-uses.ts";
import { type Finding, refuse, sentenceOf, whatHelps } from "./finding.ts";
import { judge } from "./judge.ts";
import { mostFiles, type storageProcedures } from "./procedures.ts";

/** `requireStorage` against a host by its name. */
export type StorageCheck = (
  definition: GuestDefinition,
  open: OpenStorage,
  to: string,
) => Promise<string[]>;

/**
 * Whether a guest that runs here would find its storage on the peer, the same and usable. Gives what is to be warned of.
 * @throws SojournError with exit code 3, and nothing touched: the code of the first finding that is in the way
 *   (finding.ts), or `SOJ_STORAGE_SILENT`.
 */
export async function requireStorage(
  definition: GuestDefinition,
  open: OpenStorage,
  options: CompareOptions,
): Promise<string[]> {
  refuseReplaced(definition, open);
  const uses = usesWhileRunning(definition, open);
  const findings = await within(
    longestCheckMs,
    () => findingsAbout(uses, options),
    () => tooSlow(definition.name),
  );
  const refusals = findings.filter(({ level }) => level === "refuse");
  if (refusals.length > 0) throw refusalOf(definition.name, refusals);
  return findings.filter(({ level }) => level === "warn").map(sentenceOf);
}

/** A request for a migration waits for it, maybe through another host (30 s). */
const longestCheckMs = 20_000;

function tooSlow(guest: string): SojournError {
  const message = `the storage of ${guest} was not looked through within ${longestCheckMs / 1000} s`;
  return preconditionError("SOJ_STORAGE_SILENT", message, {
    ...{ retryable: true, guestState: "untouched" },
    hint: "are its servers overloaded? a large file that is only read may be vouched for (shared = true)",
  });
}

/** The verdict on each file. @throws what `compareStorage` throws. */
export async function findingsAbout(
  uses: readonly FileUse[],
  options: CompareOptions,
): Promise<Finding[]> {
  if (uses.length > mostFiles) {
    throw preconditionError(
      "SOJ_DISK_UNPROVEN",
      `more than ${mostFiles} files: they are not compared`,
    );
  }
  const hosts = { here: options.host, there: options.peer.peer };
  const [named, unnamed] = [uses.filter(hasPath), uses.filter((use) => !hasPath(use))];
  try {
    const comparisons = await compareStorage(named, options);
    return [
      ...comparisons.map((comparison) => judge(comparison, hosts)),
      ...unnamed.map(withoutPath),
    ];
  } catch (error) {
    if (!(error instanceof SojournError) || error.code !== "SOJ_UNKNOWN_PROCEDURE") throw error;
    return uncompared(uses, options.peer);
  }
}

function hasPath({ path }: FileUse): boolean {
  return absolutePath.safeParse(path).success;
}

/** A name that only this process of this host understands: relative to its folder, or a descriptor it was given. */
function withoutPath(use: FileUse): Finding {
  const hint = "name it by its absolute path, without control characters";
  return refuse(use, "SOJ_DISK_UNPROVEN", "cannot be found on another host by its name", hint);
}

/** A peer of an earlier release cannot tell what it sees. */
function uncompared(
  uses: readonly FileUse[],
  { peer }: PeerCaller<typeof storageProcedures>,
): Finding[] {
  return uses
    .filter(({ kind, isVouchedFor }) => kind === "disk" && !isVouchedFor)
    .map((use) => {
      const message = `cannot be compared: ${peer} runs an earlier release`;
      return refuse(use, "SOJ_DISK_UNPROVEN", message, `upgrade ${peer}; or ${whatHelps.vouch}`);
    });
}

/** The other host would start from what the definition names, not from what the guest has written to. */
function refuseReplaced({ name, disks }: GuestDefinition, { replacedDisks }: OpenStorage): void {
  const [disk] = replacedDisks;
  if (disk === undefined) return;
  throw preconditionError(
    "SOJ_DISK_REPLACED",
    `disk ${disk} of ${name} is not on ${disks[disk]?.path} any more: it has been given another image since the guest was started`,
    {
      hint: "merge a snapshot back (QMP block-commit), or stop the guest and correct its definition",
      guestState: "untouched",
    },
  );
}

function refusalOf(guest: string, refusals: readonly Finding[]): SojournError {
  const [first] = refusals;
  const rest = refusals.length > 5 ? `; and ${refusals.length - 5} more` : "";
  const sentences = refusals.slice(0, 5).map(sentenceOf).join("; ");
  return preconditionError(first?.code ?? "SOJ_DISK_UNPROVEN", `${guest}: ${sentences}${rest}`, {
    ...(first?.hint ? { hint: first.hint } : {}),
    guestState: "untouched",
  });
}
