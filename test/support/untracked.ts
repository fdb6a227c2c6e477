import { preconditionError } from "../../src/platform/errors.ts";
import type { FlowTable } from "../../src/routing/flows/flow-table.ts";

/** Of a host that tracks nothing. */
export const untracked: FlowTable = {
  isTracking: async () => false,
  read: async () => {
    throw preconditionError("SOJ_FLOWS_UNTRACKED", "nothing is tracked");
  },
  install: async (_address, flows) => ({
    installed: 0,
    present: 0,
    refused: { UNTRACKED: flows.length },
  }),
  forget: async () => 0,
  [Symbol.dispose]: () => {},
};
