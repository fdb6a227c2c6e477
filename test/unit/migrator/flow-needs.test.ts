import { expect, test } from "vitest";
import { needsItsWay } from "../../../src/migrator/flow-needs.ts";

test("a flow needs its way from the first answer until both ends are done, or one has reset it", () => {
  const needed = (state: string | null, replied = true) => needsItsWay({ state, replied });
  const sessions = ["SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", null];
  for (const state of sessions) expect(needed(state), `${state}`).toBe(true);
  for (const state of ["TIME_WAIT", "CLOSE"]) expect(needed(state), state).toBe(false);
  for (const state of ["SYN_SENT", "ESTABLISHED"]) expect(needed(state, false), state).toBe(false);
  expect(needed(null, false)).toBe(true);
});
