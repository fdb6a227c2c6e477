/** What a guest's migration has to send. */
export interface GuestLoad {
  /** Memory that the guest has touched so far: the rest is sent as a word per page. */
  usedBytes: number;
  /** Null where it was not measured: nothing is added for it then. */
  dirtyBytesPerSecond: number | null;
}

/** A full gigabit: where the link's speed is not known, guests still have an order. */
const assumedLinkBytesPerSecond = 125_000_000;

/** A guest that dirties as fast as the link, or faster, counts as one that leaves a tenth of it. */
const leastShare = 0.1;

/**
 * How long the passes over a guest's memory take, by themselves on the link: each sends what was dirtied during the one
 * before, a geometric series. Pure.
 * @param linkBytesPerSecond null: not known, which is good for an order alone.
 */
export function predictedSeconds(load: GuestLoad, linkBytesPerSecond: number | null): number {
  const link = linkBytesPerSecond ?? assumedLinkBytesPerSecond;
  const left = Math.max(link - (load.dirtyBytesPerSecond ?? 0), link * leastShare);
  return load.usedBytes / left;
}
