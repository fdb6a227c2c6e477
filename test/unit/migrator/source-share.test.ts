import { expect, test } from "vitest";
import type { OutgoingParameters } from "../../../src/hypervisor/hypervisor.ts";
import type { SharedStream } from "../../../src/migrator/guest-share-link.ts";
import type { MigrationFacts, SourceContext } from "../../../src/migrator/source-context.ts";
import { sharePostCopy } from "../../../src/migrator/source-share.ts";

/** What QEMU is told of the pages that follow, when the stream may have so much of the link, and so much at all. */
async function followingAt(share: number | null, mostBytesPerSecond: number): Promise<unknown> {
  const told: Partial<OutgoingParameters>[] = [];
  const instance = {
    setOutgoingParameters: async (parameters: Partial<OutgoingParameters>) => {
      told.push(parameters);
    },
  };
  const shares = {
    join: async (stream: SharedStream) => {
      await stream.limitTo(share);
      return { [Symbol.dispose]: () => {} };
    },
  };
  const policy = { maxBandwidthBytesPerSecond: mostBytesPerSecond };
  const context = { shares, policy } as unknown as SourceContext;
  const task = { toUnderlayAddress: "172.16.2.2", options: { guestSharePercent: 50 } } as never;
  const facts = { instance, linkBefore: null, streamAddress: null } as unknown as MigrationFacts;
  using _share = await sharePostCopy(context, task, facts);
  return told;
}

test.each([
  [null, 0, 0],
  [null, 10e6, 10e6],
  [4e6, 10e6, 4e6],
  [20e6, 10e6, 10e6],
  [20e6, 0, 20e6],
  [0.2, 0, 1],
])(
  "pages that follow a guest keep to their share and to the stream's own limit: %s, %d",
  async (share, most, limit) => {
    expect(await followingAt(share, most)).toEqual([{ maxPostCopyBandwidthBytesPerSecond: limit }]);
  },
);
