import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";
import { smallerLimit, wholeShare } from "./stream-bandwidth.ts";

type Sharing = Pick<SourceContext, "shares" | "policy">;
type SharedTask = Pick<MigrationTask, "toUnderlayAddress" | "options">;

/** Before the stream begins: what others send over its link while nothing is in their way. */
export async function lookAtLink(
  { shares }: Pick<SourceContext, "shares">,
  task: SharedTask,
  facts: Pick<MigrationFacts, "linkBefore" | "streamAddress">,
): Promise<void> {
  if (task.options.guestSharePercent === 0) return;
  facts.linkBefore = await shares.look(facts.streamAddress ?? task.toUnderlayAddress);
}

/**
 * Leaves guests' traffic its share of the link until the returned object is disposed of. What the stream may take then stays
 * as it is, until it is lifted for the stop. Null where everything is the stream's.
 */
export function shareLink(
  context: Sharing,
  task: SharedTask,
  facts: MigrationFacts,
): Promise<Disposable | null> {
  return join(context, task, facts, (bytesPerSecond) => facts.bandwidth.limitTo(bytesPerSecond));
}

/**
 * The same while pages follow a guest that runs at the destination. Those that it waits for go at once, whatever the limit
 * (QAPI `max-postcopy-bandwidth`).
 */
export function sharePostCopy(
  context: Sharing,
  task: SharedTask,
  facts: MigrationFacts,
): Promise<Disposable | null> {
  const { instance } = facts;
  const { maxBandwidthBytesPerSecond: most } = context.policy;
  return join(context, task, facts, (share) =>
    instance.setOutgoingParameters({
      maxPostCopyBandwidthBytesPerSecond: smallerLimit(most, wholeShare(share)),
    }),
  );
}

async function join(
  { shares, policy }: Sharing,
  { toUnderlayAddress, options }: SharedTask,
  facts: MigrationFacts,
  limitTo: (bytesPerSecond: number | null) => Promise<void>,
): Promise<Disposable | null> {
  if (options.guestSharePercent === 0) return null;
  const { instance, linkBefore } = facts;
  facts.linkBefore = null;
  const rules = {
    guestShare: options.guestSharePercent / 100,
    maxBandwidth: policy.maxBandwidthBytesPerSecond,
  };
  const toAddress = facts.streamAddress ?? toUnderlayAddress;
  const sentBytes = async () => (await instance.migrationProgress()).transferredBytes;
  return await shares.join({ toAddress, rules, sentBytes, limitTo }, linkBefore);
}
