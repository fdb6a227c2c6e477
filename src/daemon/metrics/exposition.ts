import type { Registry } from "prom-client";
import { delay, monotonicMs } from "../../platform/clock.ts";

/** A guest that stands for longer is what somebody should see at last. */
const longestWaitMs = 1_000;
const waitStepMs = 10;
/** The event loop's turn ends after so long; what is more important goes on. */
const longestTurnMs = 1;

/**
 * The registry as text (Prometheus' text format 0.0.4). Little by little, and not while a guest stands because of a
 * migration, up to a second: a scrape takes nothing from a blackout.
 */
export async function expose(
  registry: Registry,
  isGuestStanding: () => boolean,
): Promise<{ contentType: string; text: string }> {
  const giveUpMs = monotonicMs() + longestWaitMs;
  const parts: string[] = [];
  let turnMs = monotonicMs();
  for (const { name } of registry.getMetricsAsArray()) {
    if (monotonicMs() - turnMs > longestTurnMs) {
      await delay(0);
      turnMs = monotonicMs();
    }
    while (isGuestStanding() && monotonicMs() < giveUpMs) {
      await delay(waitStepMs);
      turnMs = monotonicMs();
    }
    parts.push(await registry.getSingleMetricAsString(name));
  }
  return { contentType: registry.contentType, text: `${parts.join("\n\n")}\n` };
}
