import { reasonOf } from "../platform/errors.ts";
import type { HostContext } from "./host-context.ts";
import type { ArrivingRecord } from "./incoming-process.ts";
import type { HostMigrationFacts } from "./procedures.ts";

/** How long the source may take to answer. */
const answerMs = 5_000;

/** Whether the source of a guest that is not here yet may have handed it over by post-copy; one that cannot be asked may have. */
export async function mayHandOver(
  { homes, logger }: Pick<HostContext, "homes" | "logger">,
  { guest, migration }: ArrivingRecord,
): Promise<boolean> {
  const question = { id: migration.id, guest };
  try {
    const peer = homes.peer(migration.peer);
    return isPromised(await peer.call("migration-facts", question, { timeoutMs: answerMs }));
  } catch (error) {
    const fields = { migration: migration.id, guest, source: migration.peer };
    logger.warn(
      { ...fields, reason: reasonOf(error) },
      "the source may have handed the guest over: it is waited for",
    );
    return true;
  }
}

/** A damaged journal may have lost the promise. */
function isPromised({ held, journal }: HostMigrationFacts): boolean {
  const has = (wanted: string) =>
    journal.some(({ role, step }) => role === "source" && step === wanted);
  return held || (has("promise") && !has("undone") && !has("aborted-by-destination"));
}
