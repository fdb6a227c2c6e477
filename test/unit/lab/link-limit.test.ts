import { expect, test } from "vitest";
import { limiter } from "../../../src/lab/link-limit.ts";

test("a slow link takes a whole packet at once, a fast one what it carries in 2 ms", () => {
  const burst = (mbps: number) => Number(limiter(mbps)[limiter(mbps).indexOf("burst") + 1]);
  expect(limiter(200).join(" ")).toBe("handle 7701: tbf rate 200mbit burst 65536 latency 20ms");
  expect(burst(1)).toBe(65_536);
  expect(burst(10_000)).toBe(2_500_000);
});
