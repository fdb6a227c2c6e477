import { expect, it } from "vitest";
import { Doctor, type DoctorOptions } from "../../../../src/daemon/doctor/services.ts";
import { createLogger } from "../../../../src/platform/log.ts";

const none = { inner_address: 0, outer_address: 0, malformed: 0 };

function doctorOf(change: Partial<DoctorOptions> = {}, counts = none) {
  const looks: PromiseWithResolvers<string[]>[] = [];
  const network = {
    differences: () => {
      const look = Promise.withResolvers<string[]>();
      looks.push(look);
      return look.promise;
    },
    routing: { refusedPackets: async () => counts },
  };
  const { services } = new Doctor({
    ...{ config: { host: { name: "host-a" } }, network, records: { all: () => [] } },
    ...{ isGuestStanding: () => false, logger: createLogger("silent") },
    ...{ maintenance: { current: null }, ...change },
  } as unknown as DoctorOptions);
  return { services, looks };
}

it("however many ask the daemon's doctor, the network is looked at once", async () => {
  const { services, looks } = doctorOf();
  const asked = Array.from({ length: 200 }, () => services.doctor());
  await expect.poll(() => looks.length).toBe(1);
  looks[0]?.resolve([]);
  const answers = await Promise.all(asked);
  expect(answers.every(([check]) => check?.result === "ok" && check.host === "host-a")).toBe(true);
  expect(looks).toHaveLength(1);
});

it("while a guest stands the daemon's doctor looks at nothing", async () => {
  let isGuestStanding = true;
  const { services, looks } = doctorOf({ isGuestStanding: () => isGuestStanding });
  const asked = services.doctor();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(looks).toHaveLength(0);
  isGuestStanding = false;
  await expect.poll(() => looks.length).toBe(1);
  looks[0]?.resolve(["ip route replace 10.1.0.10/32 dev sji"]);
  expect(await asked).toMatchObject([
    { id: "network-state", result: "warn" },
    { id: "maintenance", result: "ok" },
    { id: "refused-packets", result: "ok" },
  ]);
});

it.each([
  {
    counts: { outer_address: 7, malformed: 2 },
    result: "warn",
    told: "7 outer_address, 2 malformed",
  },
  { counts: { inner_address: 1_001 }, result: "warn", told: "1001 inner_address" },
  // What was under way when a guest moved.
  { counts: { inner_address: 12 }, result: "ok", told: "12 inner_address" },
])(
  "packets that were refused are told by their reasons: $told",
  async ({ counts, result, told }) => {
    const { services, looks } = doctorOf({}, { ...none, ...counts });
    const asked = services.doctor();
    await expect.poll(() => looks.length).toBe(1);
    looks[0]?.resolve([]);
    const detail = `since the daemon's start: ${told}`;
    expect((await asked).at(-1)).toMatchObject({ id: "refused-packets", result, detail });
  },
);

it("maintenance is told, since when and why", async () => {
  const current = { sinceMs: 1_767_225_600_000, reason: "new memory" };
  const { services, looks } = doctorOf({ maintenance: { current } });
  const asked = services.doctor();
  await expect.poll(() => looks.length).toBe(1);
  looks[0]?.resolve([]);
  expect((await asked).find(({ id }) => id === "maintenance")).toMatchObject({
    ...{ result: "warn", host: "host-a", mend: "sojourn maintenance off" },
    detail: "on since 2026-01-01T00:00:00.000Z (new memory): no guest starts or arrives here",
  });
});
