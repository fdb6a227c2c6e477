import type { FlowTable } from "../../src/routing/flows/flow-table.ts";

/** Of a host that tracks nothing. */
export const untracked: FlowTable = {
  isTracking: async () => false,
  read: async () => [],
  install: async (_address, flows) => ({
    installed: 0,
    present: 0,
    refused: { UNTRACKED: flows.length },
  }),
  forget: async () => 0,
  [Symbol.dispose]: () => {},
};
