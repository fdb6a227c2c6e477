import { expect, test } from "vitest";
import { Afterwards } from "../../../src/migrator/afterwards.ts";

test("work waits while it is held, and comes in its order", () => {
  const done: string[] = [];
  const afterwards = new Afterwards();
  afterwards.do(() => done.push("at once"));
  afterwards.hold();
  afterwards.hold();
  for (const name of ["first", "second"]) afterwards.do(() => done.push(name));
  expect(done).toEqual(["at once"]);
  afterwards.release();
  afterwards.release();
  afterwards.do(() => done.push("at once again"));
  expect(done).toEqual(["at once", "first", "second", "at once again"]);
});
