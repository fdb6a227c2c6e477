import { describe, expect, it } from "vitest";
import { CalmReader } from "../../../../src/daemon/inventory/calm-reader.ts";
import { FakeClock, settled } from "../../platform/fake-clock.ts";

describe("an answer that costs something", () => {
  it("is got once for all who ask, and again when it is old", async () => {
    using clock = new FakeClock();
    let reads = 0;
    const reader = new CalmReader(async () => ++reads, {
      goodForMs: 1_000,
      isGuestStanding: () => false,
    });
    const many = Array.from({ length: 200 }, () => reader.get());
    expect(new Set(await Promise.all(many))).toEqual(new Set([1]));
    clock.stall(999);
    expect(await reader.get()).toBe(1);
    clock.stall(1);
    expect(await reader.get()).toBe(2);
  });

  it("is not got while a guest stands: the last one is given, or the guest waited for", async () => {
    using clock = new FakeClock();
    let standing = true;
    let reads = 0;
    const isGuestStanding = () => standing;
    const reader = new CalmReader(async () => ++reads, { goodForMs: 10, isGuestStanding });
    const first = reader.get();
    clock.run(1_000);
    await settled();
    expect(reads).toBe(0);
    standing = false;
    clock.run(20);
    expect(await first).toBe(1);
    standing = true;
    clock.stall(60_000);
    expect(await reader.get()).toBe(1);
  });

  it("is refused, to be asked again, when nothing is known and the guest stands for long", async () => {
    using clock = new FakeClock();
    const reader = new CalmReader(async () => 1, { goodForMs: 10, isGuestStanding: () => true });
    const refused = reader.get().catch((error: unknown) => error);
    for (let passed = 0; passed < 300; passed += 1) {
      clock.run(20);
      await settled();
    }
    expect(await refused).toMatchObject({
      code: "SOJ_SWITCHOVER",
      httpStatus: 503,
      retryable: true,
    });
  });

  it("is asked for again after a failure", async () => {
    let fails = true;
    const read = async () => {
      if (fails) throw new Error("no");
      return 1;
    };
    const reader = new CalmReader(read, { goodForMs: 1_000, isGuestStanding: () => false });
    await expect(reader.get()).rejects.toThrow("no");
    fails = false;
    expect(await reader.get()).toBe(1);
  });
});
