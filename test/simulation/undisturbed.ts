import type { Schedule } from "./schedule.ts";

/** Nothing happens but what a test does. */
export const undisturbed: Schedule = {
  seed: 7,
  hosts: ["host-a", "host-b"],
  before: 0,
  faults: [],
  slowness: 0,
  duplicates: 0,
  held: true,
  paused: false,
  restarts: false,
  afterwards: [],
};
