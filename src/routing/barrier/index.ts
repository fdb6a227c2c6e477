export { removeBarrierLeftovers } from "./leftovers.ts";
export { probeThroughBarrier } from "./probe.ts";
export { openBarrierProber } from "./prober.ts";
export { openBarrierResponder } from "./responder.ts";
