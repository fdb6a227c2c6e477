import type { BenchPlan } from "./options.ts";
import type { Cell, CellGuest } from "./records.ts";

const defaultMemoryMib = 128;

/** How many cells the matrix has. */
export function cellCount(plan: BenchPlan): number {
  const { memoryMib, dirtyMbytesPerSecond, tunnels, traffics, policies, postCopy } = plan;
  return [memoryMib, dirtyMbytesPerSecond, tunnels, traffics, policies, postCopy].reduce(
    (product, choices) => product * (choices?.length ?? 1),
    1,
  );
}

/**
 * The matrix, in the order in which it is measured: the quiet guests before the busy ones, for which time may be too
 * short; cells of one guest follow each other. Pure.
 */
export function cellsOf(plan: BenchPlan): Cell[] {
  const { tunnels, traffics, policies, postCopy } = plan;
  return guestsOf(plan).flatMap((guest) =>
    tunnels.flatMap((tunnel) =>
      (traffics ?? [null]).flatMap((traffic) =>
        (policies ?? [null]).flatMap((policy) =>
          (postCopy ?? [null]).map((post_copy) => ({
            ...guest,
            tunnel,
            ...(traffic === null ? {} : { traffic }),
            ...(policy === null ? {} : { policy }),
            ...(post_copy === null ? {} : { post_copy }),
          })),
        ),
      ),
    ),
  );
}

function guestsOf({ memoryMib, dirtyMbytesPerSecond, linkMbps }: BenchPlan): CellGuest[] {
  return (dirtyMbytesPerSecond ?? [0]).flatMap((dirty) =>
    (memoryMib ?? [defaultMemoryMib]).map((memory_mib) => ({
      memory_mib,
      dirty_mbytes_per_second: dirty === 0 ? null : dirty,
      ...(linkMbps === null ? {} : { link_mbps: linkMbps }),
    })),
  );
}
