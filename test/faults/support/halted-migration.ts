import type { FaultLab } from "./fault-lab.ts";
import type { FollowedMigration } from "./followed-migration.ts";
import { type CodePlace, PausePoint } from "./pause-point.ts";

/** A migration from host-a to host-b in which a daemon stands still, until it is told to go on or killed. */
export interface HaltedMigration extends AsyncDisposable {
  id: string;
  migration: FollowedMigration;
  goOn(): Promise<void>;
}

/** Begins a migration; resolves when the host's daemon stands at the place. */
export async function haltAt(
  fault: FaultLab,
  host: string,
  place: CodePlace,
): Promise<HaltedMigration> {
  await using stack = new AsyncDisposableStack();
  const point = stack.use(await PausePoint.set(fault, host, place));
  const migration = fault.migrate("host-a", "host-b");
  const id = await migration.phase("preparing");
  await point.reached;
  const resources = stack.move();
  const goOn = () => resources.disposeAsync();
  return { id, migration, goOn, [Symbol.asyncDispose]: goOn };
}

/** The same, and kill -9 to the daemons that are to die there: by default the one that stands. */
export async function killAt(
  fault: FaultLab,
  host: string,
  place: CodePlace,
  dying: readonly string[] = [host],
): Promise<Pick<HaltedMigration, "id" | "migration">> {
  await using halted = await haltAt(fault, host, place);
  for (const each of dying) await fault.kill(each);
  return { id: halted.id, migration: halted.migration };
}
