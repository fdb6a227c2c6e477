import type { MigrationOptions } from "../migrator/migration-options.ts";
import type { GuestRecord } from "../migrator/records.ts";
import type { MigrationTask, SourceContext } from "../migrator/source-context.ts";
import { offeredFeatures } from "../migrator/stream-features.ts";
import { hasCode, preconditionError, SojournError } from "../platform/errors.ts";
import type { MigrationRequest } from "./services.ts";

/** How a guest may be moved, and what somebody should know who allows post-copy. */
interface CheckedOptions {
  options: MigrationOptions;
  warnings: string[];
}

/**
 * Whether a guest that may go by post-copy can: what the host's configuration alone allows is left out where it cannot.
 * @param theirs the destination's word; of earlier releases there is none.
 * @throws SojournError `SOJ_POST_COPY_UNAVAILABLE` where a request, or the guest's definition, wants it; nothing is changed.
 */
export async function checkPostCopy(
  context: Pick<SourceContext, "host" | "guests" | "policy">,
  request: Pick<MigrationRequest, "post_copy">,
  { definition }: Pick<GuestRecord, "definition">,
  task: Pick<MigrationTask, "guest" | "to" | "options">,
  theirs: boolean | undefined,
): Promise<CheckedOptions> {
  const { guest, to, options } = task;
  if (!options.postCopy) return { options, warnings: [] };
  const refusal = await refusalOf(context, task, theirs);
  if (refusal === null) {
    const risk = `by post-copy ${guest} is lost if ${context.host.name} or ${to} fails after the switchover and before all of its memory has arrived`;
    return { options, warnings: [risk] };
  }
  if (request.post_copy ?? definition.migration?.post_copy) throw refusal;
  return { options: { ...options, postCopy: false }, warnings: [refusal.message] };
}

async function refusalOf(
  { guests, policy }: Pick<SourceContext, "guests" | "policy">,
  task: Pick<MigrationTask, "guest" | "to" | "options">,
  theirs: boolean | undefined,
): Promise<SojournError | null> {
  const instance = guests.instance(task.guest);
  try {
    if (instance !== undefined) await offeredFeatures(instance, task, policy);
  } catch (error) {
    const isRefusal = error instanceof SojournError && hasCode(error, "SOJ_POST_COPY_UNAVAILABLE");
    if (isRefusal) return error;
    throw error;
  }
  if (theirs === true) return null;
  const message = `${task.to} cannot receive ${task.guest} by post-copy`;
  return preconditionError("SOJ_POST_COPY_UNAVAILABLE", message, {
    guestState: "untouched",
    hint: `move it without --post-copy (post_copy = false); ${task.to} needs this release, and a kernel with userfaultfd`,
  });
}
