import { describe, expect, test } from "vitest";
import type { SourceContext } from "../../../src/migrator/source-context.ts";
import { DestinationAborted, StallGuard } from "../../../src/migrator/stall-guard.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { LoopWatch } from "../../../src/platform/loop-watch.ts";
import { FakeClock } from "../platform/fake-clock.ts";
import { task } from "./example-task.ts";

/** A guard whose destination answers as told, and how often it was asked. */
function guardAgainst(answer: string | Error) {
  const asked: unknown[] = [];
  const peer = () => ({
    peer: "host-b",
    call: async (name: string, request: unknown, options: unknown) => {
      asked.push([name, request, options]);
      if (answer instanceof Error) throw answer;
      return { state: answer, takeover_ms: null, resume_ms: null };
    },
  });
  const context = {
    peer: peer as unknown as SourceContext["peer"],
    logger: createLogger("silent"),
  };
  return { guard: new StallGuard(context, task, new LoopWatch(() => 0)), asked };
}

const silent = new SojournError("SOJ_PEER_UNREACHABLE", "no answer", { retryable: true });

describe("a daemon that did not stand still", () => {
  test("asks nobody: no round trip while a guest stands", async () => {
    using clock = new FakeClock();
    const { guard, asked } = guardAgainst(silent);
    clock.run(60_000);
    await guard.beforeStop();
    await guard.beforePromise();
    await guard.afterPromise();
    expect(asked).toEqual([]);
  });

  test("nor after one that the destination was asked since", async () => {
    using clock = new FakeClock();
    const { guard, asked } = guardAgainst(silent);
    clock.stall(60_000);
    guard.forget();
    await guard.beforeStop();
    expect(asked).toEqual([]);
  });
});

describe("a daemon that stood still", () => {
  test("asks once, for 300 ms, with the epoch, and goes on when the destination still waits", async () => {
    using clock = new FakeClock();
    const { guard, asked } = guardAgainst("incoming");
    clock.stall(35_000);
    await guard.beforePromise();
    await guard.beforePromise();
    expect(asked).toEqual([
      ["state", { id: "m1", guest: "web1", epoch: 3, wait_ms: 0 }, { timeoutMs: 300 }],
    ]);
  });

  test.each([
    ["has aborted", "aborted", "SOJ_DESTINATION_ABORTED"],
    ["does not answer", silent, "SOJ_PEER_UNREACHABLE"],
    [
      "knows a newer epoch",
      new SojournError("SOJ_STALE_EPOCH", "not the one under way"),
      "SOJ_STALE_EPOCH",
    ],
  ])("does not promise when the destination %s", async (_what, answer, code) => {
    using clock = new FakeClock();
    const { guard } = guardAgainst(answer);
    clock.stall(35_000);
    await expect(guard.beforePromise()).rejects.toMatchObject({ code });
  });

  test("after the promise goes back for nothing but a written abort", async () => {
    using clock = new FakeClock();
    for (const answer of ["incoming", "taken-over", silent]) {
      const { guard } = guardAgainst(answer);
      clock.stall(35_000);
      await guard.afterPromise();
    }
    const { guard } = guardAgainst("aborted");
    clock.stall(35_000);
    await expect(guard.afterPromise()).rejects.toBeInstanceOf(DestinationAborted);
  });
});
