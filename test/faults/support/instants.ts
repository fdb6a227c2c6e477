import { seededRandom } from "../../../src/platform/seeded-random.ts";

/** `count` instants (whole ms) below `belowMs`, the same ones for the same seed. */
export function randomInstants(seed: number, count: number, belowMs: number): number[] {
  const next = seededRandom(seed);
  return Array.from({ length: count }, () => Math.floor(next() * belowMs));
}

/** The instant itself is what is tested: there is no event to wait for. */
export function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
