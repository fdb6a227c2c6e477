import { describe, expect, it, test } from "vitest";
import {
  describeChange,
  describeCounts,
  describeEvacuation,
  describePlan,
} from "../../../src/cli/evacuate/describe.ts";
import { followEvacuation } from "../../../src/cli/evacuate/follow.ts";
import { exitCodeOf } from "../../../src/cli/evacuate/outcome.ts";
import { LiveView } from "../../../src/cli/evacuate/view.ts";
import type { Evacuation } from "../../../src/client/index.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { FakeClock, pass } from "../platform/fake-clock.ts";
import { evacuatedGuest, evacuationWith } from "./evacuations.ts";

const failed = (exit_code: number) => ({
  state: "failed" as const,
  error: { code: "SOJ_X", message: "it went wrong", hint: "mend it", exit_code },
});
const moved = { state: "moved" as const, blackout_ms: 24.06 };
const ended = { state: "incomplete", ended_ms: 1_767_225_612_340 } as const;

describe("the exit code of an evacuation", () => {
  const of = (state: Evacuation["state"], ...guests: Parameters<typeof evacuatedGuest>[1][]) =>
    exitCodeOf({ state, guests: guests.map((change, n) => evacuatedGuest(`g${n}`, change)) });

  it("is 0 when every guest has left, or had gone before", () => {
    expect(of("completed", moved, moved)).toBe(0);
    expect(of("completed", moved, { state: "skipped" })).toBe(0);
    expect(of("completed")).toBe(0);
  });

  it.each([
    [9, [9, 5, 4, 3]],
    [5, [4, 5, 3]],
    [4, [3, 4]],
    [3, [3]],
    [4, [99]],
  ])("is %i, the worst, of guests that failed with %j", (code, codes) => {
    expect(of("incomplete", moved, ...codes.map(failed))).toBe(code);
  });

  it("of a cancelled one is 6, unless worse has happened", () => {
    expect(of("cancelled", moved, { state: "cancelled" })).toBe(6);
    expect(of("cancelled", { state: "cancelled" }, failed(4))).toBe(4);
    expect(of("cancelled", moved)).toBe(6);
  });

  it("of guests that stood longer than the budget is 8", () => {
    const guests = [evacuatedGuest("web1", moved)];
    expect(exitCodeOf({ state: "completed", guests }, 24)).toBe(8);
    expect(exitCodeOf({ state: "completed", guests }, 25)).toBe(0);
  });
});

describe("an evacuation for people", () => {
  it("has its guests in a table, and why some did not move", () => {
    const guests = [
      evacuatedGuest("web1", moved),
      evacuatedGuest("db", { ...failed(4), to: "host-c" }),
    ];
    expect(describeEvacuation(evacuationWith({ ...ended, guests })).split("\n")).toEqual([
      "evacuation e1 of host-a: incomplete after 12.3 s; 1 of 2 guests moved, 1 failed",
      "GUEST  TO      STATE   PROGRESS  BLACKOUT",
      "web1   host-b  moved   -         24.1 ms",
      "db     host-c  failed  -         -",
      "db: it went wrong [SOJ_X]",
      "  mend it",
    ]);
  });

  it("of a host without guests says so", () => {
    const text = describeEvacuation(evacuationWith({ ...ended, state: "completed", guests: [] }));
    expect(text).toBe("evacuation e1 of host-a: completed after 12.3 s; no guest was there");
  });

  it("tells how far a guest is, and what is expected of those that wait", () => {
    const progress = { phase: "precopy", transferred_bytes: 300, remaining_bytes: 100 } as const;
    const guests = [
      evacuatedGuest("web1", { state: "migrating", progress }),
      evacuatedGuest("web2", {
        state: "migrating",
        progress: { ...progress, remaining_bytes: null },
      }),
      evacuatedGuest("web3"),
    ];
    const text = describeEvacuation(evacuationWith({ guests }));
    expect(text).toContain("precopy 75 %");
    expect(text).toMatch(/^web2 .* precopy +-$/m);
    expect(text).toContain("1.3 s expected");
    expect(describeCounts({ guests })).toBe("0 of 3 guests moved, 2 on the way, 1 waiting");
  });

  it("is a line for each step of a guest", () => {
    const lines = [
      evacuatedGuest("web1", { state: "migrating", migration: "m1" }),
      evacuatedGuest("web1", moved),
      evacuatedGuest("web1", { ...failed(3), to: null }),
    ].map(describeChange);
    expect(lines).toEqual([
      "web1: migrates to host-b (m1)",
      "web1: moved to host-b, blackout 24.1 ms",
      "web1: failed: it went wrong [SOJ_X]",
    ]);
  });

  it("as a plan tells which destinations take guests, and who has no place", () => {
    const none = { code: "SOJ_NO_ROOM", message: "needs 4096 MiB", hint: null, exit_code: 3 };
    const text = describePlan({
      ...{ type: "evacuation-plan", host: "host-a", parallel: 2, parallel_per_link: 1 },
      destinations: [
        { host: "host-b", available_mib: 512.7, maintenance: false, error: null },
        { host: "host-c", available_mib: 512, maintenance: true, error: null },
      ],
      guests: [
        { guest: "web1", to: "host-b", predicted_s: 1.2, memory_mib: 128, error: null },
        { guest: "big", to: null, predicted_s: null, memory_mib: 4_096, error: none },
      ],
    });
    expect(text.split("\n")).toEqual([
      "host-a: 2 guests, 2 at once, 1 at once to one host",
      "DESTINATION  MEMORY        STATE",
      "host-b       512 MiB free  takes guests",
      "host-c       512 MiB free  in maintenance",
      "GUEST  TO      MEMORY    PREDICTED",
      "web1   host-b  128 MiB   1.2 s",
      "big    -       4096 MiB  -",
      "big: needs 4096 MiB [SOJ_NO_ROOM]",
    ]);
  });
});

test("the live table is drawn over itself, and fits the terminal however many guests there are", () => {
  let written = "";
  const view = new LiveView({
    ...{ columns: 30, rows: 10 },
    write: (text: string) => {
      written += text;
      return true;
    },
  } as never);
  const guests = Array.from({ length: 40 }, (_, n) =>
    evacuatedGuest(`web${n}\x1b[2J`, n < 30 ? moved : n === 35 ? { state: "migrating" } : {}),
  );
  view.show(evacuationWith({ guests }));
  const lines = written.split("\n");
  // 10 rows: what is drawn, and the line of the cursor.
  expect(lines).toHaveLength(10);
  expect(written).toContain("web35");
  expect(written).toContain("… and 34 more");
  expect(written).not.toContain("\x1b[2J");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escapes are what is looked for
  const plain = lines.map((line) => line.replaceAll(/\x1b\[[0-9]*[A-Z]\r?/g, ""));
  expect(Math.max(...plain.map(({ length }) => length))).toBeLessThan(30);
  written = "";
  view.show(evacuationWith({ guests }));
  expect(written).toBe("");
  view.show(evacuationWith({ guests: guests.with(35, evacuatedGuest("web35", failed(4))) }));
  expect(written.startsWith("\x1b[9A\r")).toBe(true);
  written = "";
  view.close();
  expect(written).toBe("\x1b[9A\r\x1b[J");
});

describe("following", () => {
  const view = { show: () => {}, close: () => {} };
  const never = new AbortController().signal;
  const gone = () => {
    throw new SojournError("SOJ_DAEMON_UNREACHABLE", "no answer", {
      ...{ exitCode: 7, retryable: true },
    });
  };
  const forgotten = () => {
    throw new SojournError("SOJ_EVACUATION_UNKNOWN", "there is no e1", { exitCode: 3 });
  };
  const follow = (...answers: (() => Evacuation)[]) => {
    let looks = 0;
    const getEvacuation = async () => {
      const answer = answers[Math.min(looks, answers.length - 1)];
      looks += 1;
      return answer?.() as Evacuation;
    };
    return followEvacuation({ getEvacuation }, "e1", view, never);
  };
  const running = () => evacuationWith();
  const over = () => evacuationWith({ ...ended, state: "completed" });

  it("goes on across a restart of the daemon, and of the one that a daemon asks", async () => {
    using clock = new FakeClock();
    const following = follow(running, gone, forgotten, gone, running, over);
    await pass(clock, 3_000, 250);
    expect(await following).toMatchObject({ state: "completed" });
  });

  it("ends when the daemon does not come back, with what to do", async () => {
    using clock = new FakeClock();
    const following = follow(running, gone);
    const told = expect(following).rejects.toMatchObject({
      ...{ code: "SOJ_DAEMON_UNREACHABLE", exitCode: 7 },
      hint: expect.stringContaining("sojourn evacuation watch e1"),
    });
    await pass(clock, 70_000, 500);
    await told;
  });

  it.each([["unknown", forgotten] as const, ["unreachable", gone] as const])(
    "ends at once with one that is %s from the start",
    async (_, answer) => {
      await expect(follow(answer)).rejects.toBeInstanceOf(SojournError);
    },
  );
});
