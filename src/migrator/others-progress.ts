import type { GuestInstance, MigrationProgress } from "../hypervisor/hypervisor.ts";

/** How far a stream is that others began with the guest's hypervisor; one of ours is none of theirs. */
export async function othersProgress(
  instance: Pick<GuestInstance, "migrationProgress" | "othersProgress">,
): Promise<MigrationProgress> {
  if (instance.othersProgress === undefined) throw new Error("nobody else can begin its streams");
  return await instance.othersProgress();
}
