import fc from "fast-check";
import { expect, test } from "vitest";
import { fromCarriedFlow, toCarriedFlow } from "../../../src/migrator/carried-flow.ts";
import { carriedFlowSchema } from "../../../src/migrator/flow-procedures.ts";
import { anyGuestFlow, guestFlowOf } from "../../support/guest-flows.ts";

test("what one host tells of a flow is what the other knows, in the form that is agreed", () => {
  fc.assert(
    fc.property(anyGuestFlow, (flow) => {
      const told: unknown = JSON.parse(JSON.stringify(toCarriedFlow(flow)));
      expect(fromCarriedFlow(carriedFlowSchema.parse(told))).toEqual(flow);
    }),
  );
});

test("a flow that is kept for longer than can be told is told with the longest", () => {
  const told = toCarriedFlow(guestFlowOf({ timeoutS: 2 ** 32 - 1 }));
  expect(carriedFlowSchema.parse(told).expires).toBe(4_294_967);
});
