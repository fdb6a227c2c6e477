import { expect, test } from "vitest";
import { describeProgress } from "../../../src/cli/migrate/describe.ts";

const mib = 2 ** 20;
const event = {
  ...{
    type: "progress" as const,
    id: "m1",
    transferred_bytes: 64 * mib,
    remaining_bytes: 32 * mib,
  },
  ...{ total_bytes: 128 * mib, bandwidth_mbps: 1000, dirty_mbps: 900, dirty_syncs: 3 },
  predicted_blackout_ms: 280,
};
const figures = "32.0 of 128.0 MiB left, 64.0 sent, 1000 Mbit/s (dirtied at 900), blackout ~280 ms";

test("a migration that will not converge says so first, where no terminal cuts it off", () => {
  const text = "will not converge: dirties 900 Mbit/s, link 1000 Mbit/s, throttling at 40 %";
  const forecast = { converges: false, text };
  expect(describeProgress({ ...event, throttle_percent: 40, forecast })).toBe(
    `  ${text}, ${figures}`,
  );
});

test("one that does, or of which nothing is known yet, begins with what is left", () => {
  const forecast = { converges: true, text: "converges: dirties 100 Mbit/s, link 1000 Mbit/s" };
  expect(describeProgress({ ...event, forecast })).toBe(`  ${figures}, ${forecast.text}`);
  expect(describeProgress({ ...event, throttle_percent: 20 })).toBe(
    `  ${figures}, throttling at 20 %`,
  );
  expect(describeProgress(event)).toBe(`  ${figures}`);
});
