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
  "%s: exit code, place of the guest, phase and hint",
  (outcome, exitCode, guestState, retryable) => {
    const error = endingError(outcome, failure, task);
    expect(error).toMatchObject({ code: "SOJ_X", exitCode, guestState, retryable });
    expect(error.message).toContain("web1 was not moved to host-b: phase preparing: no answer");
    expect(error.hint).not.toBeNull();
  },
);

test("the failure's own hint comes first", () => {
  const hint = "let protocol 4 through";
  expect(endingError("rolled-back", { ...failure, hint }, task).hint).toBe(hint);
});

test.each([
  ["ask-at-armed", "web1 was not moved to host-b: no answer."],
  ["guest", "web1 was not moved to host-b: no answer."],
  ["constructor", "web1 was not moved to host-b: no answer."],
  ["await-convergence", "web1 was not moved to host-b: phase precopy: no answer."],
  ["settle-with-destination", "web1 was not moved to host-b: phase switchover: no answer."],
])("no step is named by its own name: %s", (step, expected) => {
  const { message } = endingError("rolled-back", { ...failure, step }, task);
  expect(message).toContain(expected);
});
