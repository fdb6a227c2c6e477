import type { MigrationFacts, MigrationTask, SourceContext } from "./source-context.ts";

type Sharing = Pick<SourceContext, "shares" | "policy">;

/** Before the stream begins: what others send over its link while nothing is in their way. */
export async function lookAtLink(
  { shares }: Pick<SourceContext, "shares">,
  task: Pick<MigrationTask, "toUnderlayAddress" | "options">,
  facts: Pick<MigrationFacts, "linkBefore">,
): Promise<void> {
  if (task.options.guestSharePercent === 0) return;
  facts.linkBefore = await shares.look(task.toUnderlayAddress);
}

/**
 * Leaves guests' traffic its share of the link until the returned object is disposed of. What the stream may take then stays
 * as it is, until it is lifted for the stop. Null where everything is the stream's.
 */
export async function shareLink(
  { shares, policy }: Sharing,
  { toUnderlayAddress, options }: Pick<MigrationTask, "toUnderlayAddress" | "options">,
  facts: MigrationFacts,
): Promise<Disposable | null> {
  if (options.guestSharePercent === 0) return null;
  const { instance, bandwidth, linkBefore } = facts;
  facts.linkBefore = null;
  return await shares.join(
    {
      toAddress: facts.streamAddress ?? toUnderlayAddress,
      rules: {
        guestShare: options.guestSharePercent / 100,
        maxBandwidth: policy.maxBandwidthBytesPerSecond,
      },
      sentBytes: async () => (await instance.migrationProgress()).transferredBytes,
      limitTo: (bytesPerSecond) => bandwidth.limitTo(bytesPerSecond),
    },
    linkBefore,
  );
}
