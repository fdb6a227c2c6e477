import { expect, test } from "vitest";
import { type Action, ip } from "../../../src/routing/actions.ts";
import { executeAll } from "../../../src/routing/execute.ts";
import type { SysctlStore } from "../../../src/routing/sysctl-memory.ts";

const nowhere = { read: async () => new Map(), write: async () => {} } as unknown as SysctlStore;

/** `ip WORDS`, taken back by `ip UNDO`; none of them changes anything. */
function line(words: string, undo: string): Action {
  return {
    effect: "make",
    change: { kind: "add-route" } as unknown as Action["change"],
    run: ip(...words.split(" ")),
    undo: [ip(...undo.split(" "))],
  };
}

test("a failing line is named, and those before it are taken back", async () => {
  const actions = [
    line("link show dev lo", "link show dev lo"),
    line("link show dev nosuch0", "link show dev nosuch1"),
    line("link show dev lo", "link show dev nosuch2"),
  ];
  const failure = await executeAll(actions, nowhere).catch((error) => error);
  expect(failure).toMatchObject({ code: "SOJ_ROUTING_APPLY_FAILED", exitCode: 3 });
  expect(failure.message).toMatch(/^ip link show dev nosuch0 failed .*the 1 changes before it/s);
});

test("where a program ends without the number of the line, no line is blamed alone", async () => {
  // It leaves at once when it does not know a word.
  const actions = [
    line("link show dev lo", "link show dev lo"),
    line("route show table nosuchtable", "link show dev nosuch0"),
    line("link show dev lo", "link show dev nosuch1"),
  ];
  const failure = await executeAll(actions, nowhere).catch((error) => error);
  expect(failure).toMatchObject({ code: "SOJ_ROUTING_APPLY_FAILED", exitCode: 3 });
  expect(failure.message).toContain("one of ip link show dev lo; ip route show table nosuchtable;");
  expect(failure.message).not.toContain("could not be taken back");
});
