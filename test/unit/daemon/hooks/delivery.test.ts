import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pauseMs } from "../../../../src/daemon/hooks/backoff.ts";
import { Deliverer } from "../../../../src/daemon/hooks/deliverer.ts";
import { HookFailure } from "../../../../src/daemon/hooks/failure.ts";
import type { HookMessage } from "../../../../src/daemon/hooks/payload.ts";
import { QuietTimes } from "../../../../src/daemon/hooks/quiet-times.ts";
import { Spool } from "../../../../src/daemon/hooks/spool.ts";
import type { SpooledMessage } from "../../../../src/daemon/hooks/spool-rows.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { startFastClock } from "./fast-clock.ts";

const logger = createLogger("silent");
let folder: string;
let stack: AsyncDisposableStack;
let clock: ReturnType<typeof startFastClock>;
let spool: Spool;
let deliverer: Deliverer;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  folder = await mkdtemp(join(tmpdir(), "sojourn-delivery-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  clock = stack.use(startFastClock());
  const limits = { messages: 10_000, bytes: 1e8 };
  spool = stack.use(new Spool(join(folder, "hooks.sqlite"), limits, logger));
  const quiet = new QuietTimes(() => false);
  deliverer = stack.use(new Deliverer(spool, quiet, logger));
});

afterEach(() => stack.disposeAsync());

const message = (id: string): HookMessage => ({
  ...{ id, type: "migration.resumed", rank: 1, guest: "web1", migration: "m1", body: "{}" },
});
const add = (...ids: string[]) =>
  spool.add(
    ids.map((id) => ({ subscription: "chat", lane: "", message: message(id) })),
    { outcomes: [], guests: [] },
  );

/** Begins to deliver to a receiver that answers as `answer` says; resolves when `isOver`. */
async function deliver(answer: (message: SpooledMessage) => void, isOver: () => boolean) {
  const attempts: { id: string; atMs: number }[] = [];
  const over = Promise.withResolvers<void>();
  const startMs = clock.nowMs();
  deliverer.begin("chat", {
    kind: "webhook",
    deliver: async (sent) => {
      attempts.push({ id: sent.id, atMs: clock.nowMs() - startMs });
      try {
        answer(sent);
        return 200;
      } finally {
        if (isOver()) setImmediate(() => over.resolve());
      }
    },
  });
  await over.promise;
  return attempts;
}

const refuse = (status?: number) => {
  throw new HookFailure("SOJ_HOOK_REFUSED", "no", status === undefined ? {} : { status });
};

describe("delivery", () => {
  it("pauses longer after each failure, at most a second after the first, never over two minutes", () => {
    for (let failures = 1; failures < 100; failures += 1) {
      const [least, most] = [pauseMs(failures, 0.999), pauseMs(failures, 0)];
      expect(least).toBeGreaterThanOrEqual(most / 2);
      expect(most).toBe(Math.min(1_000 * 2 ** (failures - 1), 120_000));
    }
  });

  it("keeps the order while the receiver is away for an hour", async () => {
    add(...Array.from({ length: 50 }, (_, index) => `a${index}`));
    const received: string[] = [];
    const startMs = clock.nowMs();
    const attempts = await deliver(
      ({ id }) => {
        if (clock.nowMs() - startMs < 3_600_000) refuse();
        received.push(id);
      },
      () => received.length === 50,
    );
    expect(received).toEqual(Array.from({ length: 50 }, (_, index) => `a${index}`).toSorted(byAge));
    expect(attempts[0]?.atMs).toBe(0);
    expect(attempts[1]?.atMs).toBeLessThanOrEqual(1_000);
    // Tried now and then, and all of it within minutes of the receiver's return.
    expect(attempts.length).toBeLessThan(150);
    expect(attempts.find(({ id }) => id === "a49")?.atMs).toBeLessThan(3_600_000 + 3 * 120_000);
  });

  it("lets others pass one that alone is refused, which is tried for a day and then given up", async () => {
    add("poison", "b", "c");
    const received: string[] = [];
    let isDead = false;
    const attempts = await deliver(
      ({ id }) => {
        if (id === "poison") refuse(400);
        received.push(id);
      },
      () => received.length === 2,
    );
    expect(received).toEqual(["b", "c"]);
    const passedMs = attempts.find(({ id }) => id === "b")?.atMs ?? 0;
    expect(passedMs).toBeLessThan(5 * 60_000);
    while (!isDead) {
      await new Promise((resolve) => setImmediate(resolve));
      isDead = deliverer.counters.of("chat").dead === 1;
    }
    expect(clock.nowMs() - 1_700_000_000_000).toBeGreaterThan(24 * 3_600_000);
    expect(clock.nowMs() - 1_700_000_000_000).toBeLessThan(25 * 3_600_000);
    expect(spool.room.used("chat").messages).toBe(0);
  });

  it("lets others pass one that the receiver never answers, once another was received", async () => {
    add("poison", "b", "c", "d", "e");
    const received: string[] = [];
    const attempts = await deliver(
      ({ id }) => {
        if (id === "poison") refuse();
        received.push(id);
      },
      () => received.length === 4,
    );
    expect(received).toEqual(["b", "c", "d", "e"]);
    expect(attempts.find(({ id }) => id === "e")?.atMs).toBeLessThan(5 * 60_000);
    expect(attempts.filter(({ id }) => id === "poison").length).toBeLessThan(11);
  });

  it("waits as long as the receiver asks for", async () => {
    add("a");
    let count = 0;
    const attempts = await deliver(
      () => {
        count += 1;
        if (count > 1) return;
        throw new HookFailure("SOJ_HOOK_REFUSED", "no", { status: 429, retryAfterMs: 60_000 });
      },
      () => count === 2,
    );
    expect(attempts[1]?.atMs).toBeGreaterThanOrEqual(60_000);
    expect(attempts[1]?.atMs).toBeLessThan(61_000);
  });

  it("sends at once what comes while others wait for their time", async () => {
    add("poison");
    const received: string[] = [];
    const attempts = await deliver(
      ({ id }) => {
        if (id === "poison") {
          if (spool.next("chat", "") !== null) add("late");
          refuse(400);
        }
        received.push(id);
      },
      () => received.length === 1,
    );
    expect(received).toEqual(["late"]);
    expect(attempts.length).toBeLessThanOrEqual(12);
  });
});

function byAge(left: string, right: string): number {
  return Number(left.slice(1)) - Number(right.slice(1));
}
