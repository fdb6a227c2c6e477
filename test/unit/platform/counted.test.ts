import { expect, test } from "vitest";
import { counted } from "../../../src/platform/counted.ts";

test.each([
  [0, "0 guests"],
  [1, "1 guest"],
  [2, "2 guests"],
])("%d has its noun in the right number", (count, expected) => {
  expect(counted(count, "guest")).toBe(expected);
});

test("a noun may have a plural of its own", () => {
  expect(counted(2, "entry", "entries")).toBe("2 entries");
});
