import { expect, test } from "vitest";
import { BatchError, runLines } from "../../../src/routing/batch.ts";

test("lines of one program run in one process, in order", async () => {
  await runLines(
    ["ip"],
    [
      ["link", "show", "dev", "lo"],
      ["route", "show", "table", "4294967"],
    ],
  );
});

test("a line that fails is named as if it had been run alone, and how many went before it", async () => {
  const lines = [
    ["link", "show", "dev", "lo"],
    ["link", "show", "dev", "nosuch0"],
    ["link", "show", "dev", "lo"],
  ];
  const failure = await runLines(["ip"], lines).catch((error) => error);
  expect(failure).toBeInstanceOf(BatchError);
  expect(failure).toMatchObject({
    code: "SOJ_COMMAND_FAILED",
    message: 'ip link show dev nosuch0: Device "nosuch0" does not exist.',
    done: 1,
  });
});

test("where the failing line is not known, all are named", async () => {
  const failure = await runLines(["ip", "-n", "no-such-namespace"], [["link"], ["rule"]]).catch(
    (error) => error,
  );
  expect(failure).toMatchObject({ done: null });
  expect(failure.message).toContain("ip -n no-such-namespace -batch (link; rule)");
});
