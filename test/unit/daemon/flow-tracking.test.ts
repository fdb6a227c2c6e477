import { expect, test } from "vitest";
import { tracksFlows } from "../../../src/daemon/flow-tracking.ts";
import { CommandError } from "../../../src/platform/command.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { whyNotTracked } from "../../../src/routing/flows/can-track.ts";

const logger = createLogger("silent");

test.each([
  ["as configured where the kernel can", true, null, true],
  ["not where the kernel cannot, which is no reason not to start", true, "no nft_ct", false],
  ["not where nobody wants it", false, null, false],
])("flows are tracked %s", async (_what, track, reason, expected) => {
  expect(await tracksFlows({ flows: { track } }, logger, async () => reason)).toBe(expected);
});

test("a kernel that refuses says why; so does whoever cannot ask", async () => {
  const refused = new CommandError(
    "nft --check",
    1,
    "Error: No such file or directory\nct state",
    "",
  );
  expect(await whyNotTracked(() => Promise.reject(refused))).toBe(
    "Error: No such file or directory",
  );
  const missing = new Error("no nft");
  expect(await whyNotTracked(() => Promise.reject(missing))).toBe("no nft");
});
