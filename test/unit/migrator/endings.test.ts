import { expect, test } from "vitest";
import { endingError } from "../../../src/migrator/endings.ts";

const failure = { step: "pass-barrier", code: "SOJ_X", message: "no answer", hint: null };
const task = { id: "m1", guest: "web1", to: "host-b" };

test.each([
  ["rolled-back", 4, "running-at-source", true],
  ["cancelled", 6, "running-at-source", false],
  ["in-doubt", 5, "unknown", false],
  ["guest-lost", 9, "lost", false],
  ["completed", 0, "running-at-destination", false],
] as const)(
  "%s: exit code, place of the guest, step and hint",
  (outcome, exitCode, guestState, retryable) => {
    const error = endingError(outcome, failure, task);
    expect(error).toMatchObject({ code: "SOJ_X", exitCode, guestState, retryable });
    expect(error.message).toContain("web1 was not moved to host-b: step pass-barrier: no answer");
    expect(error.hint).not.toBeNull();
  },
);

test("the failure's own hint comes first", () => {
  const hint = "let protocol 4 through";
  expect(endingError("rolled-back", { ...failure, hint }, task).hint).toBe(hint);
});
