import { expect, test } from "vitest";
import { createApi } from "../../../src/daemon/api/app.ts";
import { QuietReads } from "../../../src/daemon/api/quiet-reads.ts";
import { monotonicMs } from "../../../src/platform/clock.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { fakeServices, reportWith } from "../../support/fake-services.ts";

test("while a guest stands reads wait, changes do not; but not for ever", async () => {
  let stands = true;
  let asked = 0;
  let merged = 0;
  const cancelUrl = "/v1/migrations/m1/cancel";
  const services = fakeServices({
    addProbeResults: async () => {
      merged += 1;
      return reportWith({});
    },
    listGuests: async () => {
      asked += 1;
      return [];
    },
  });
  await using stack = new AsyncDisposableStack();
  const app = await createApi({
    ...{ hostName: "host-a", services: () => services, logger: createLogger("silent") },
    isGuestStanding: () => stands,
  });
  stack.defer(() => app.close());
  const reads = Array.from({ length: 50 }, () => app.inject({ url: "/v1/guests" }));
  const cancelled = await app.inject({ method: "POST", url: cancelUrl });
  expect(cancelled.statusCode).toBe(200);
  expect(asked).toBe(0);
  const body = { probes: {}, flows: null };
  const told = app.inject({ method: "PUT", url: "/v1/migrations/m1/report", body });
  const first = await Promise.race([told, app.inject({ method: "POST", url: cancelUrl })]);
  expect(first.statusCode).toBe(200);
  expect(merged).toBe(0);
  stands = false;
  const statuses = (await Promise.all(reads)).map(({ statusCode }) => statusCode);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(asked).toBe(50);
  expect((await told).statusCode).toBe(200);
  expect(merged).toBe(1);
  stands = true;
  const startMs = monotonicMs();
  expect((await app.inject({ url: "/v1/guests" })).statusCode).toBe(200);
  expect(monotonicMs() - startMs).toBeGreaterThan(900);
});

test("one who reads many things while a guest stands for long waits for a second, not for one each", async () => {
  let stands = true;
  const quiet = new QuietReads(() => stands);
  const startMs = monotonicMs();
  for (let count = 0; count < 20; count += 1) if (!quiet.isQuiet) await quiet.untilQuiet();
  expect(monotonicMs() - startMs).toBeGreaterThan(900);
  expect(monotonicMs() - startMs).toBeLessThan(1_500);
  // The next guest is waited for again.
  stands = false;
  expect(quiet.isQuiet).toBe(true);
  stands = true;
  expect(quiet.isQuiet).toBe(false);
});
