import { InboundRate } from "./inbound-rate.ts";
import { unpaced } from "./pacing.ts";
import { PrecopyCourse } from "./precopy-course.ts";
import type { MigrationFacts } from "./source-context.ts";
import { StreamBandwidth } from "./stream-bandwidth.ts";
import { plainStream } from "./stream-features.ts";

type Given = "instance" | "before" | "resume" | "timeline" | "afterwards" | "onProgress" | "onGate";

/** What is known of a migration that has not begun. */
export function initialFacts(given: Pick<MigrationFacts, Given>): MigrationFacts {
  return {
    ...given,
    passedGates: new Set(),
    gates: [],
    rest: null,
    predictedBlackoutMs: null,
    viaPostCopy: false,
    postCopy: null,
    migrationPort: null,
    streamAddress: null,
    streamAnswer: undefined,
    streamFeatures: plainStream,
    bandwidth: new StreamBandwidth(given.instance, 0),
    linkBefore: null,
    course: new PrecopyCourse({
      ...{ capacityBytesPerSecond: 0, limitBytesPerSecond: 0 },
      heldToBytesPerSecond: () => 0,
      unsentBytes: () => 0,
    }),
    throttledPercent: null,
    tunnel: null,
    tunnelInterface: null,
    clockOffset: null,
    inboundRate: new InboundRate(),
    streamStartedMs: null,
    pace: unpaced,
    attempts: 0,
    carriedBytes: null,
    stopIssuedMs: null,
    stoppedMs: null,
    resumedMs: null,
    preSwitchover: null,
    continued: Promise.resolve(),
    handedOver: Promise.resolve(),
    networkHold: null,
    finalProgress: null,
    packetsDropped: null,
    flows: null,
    flowsTookTheStream: false,
    renumbered: null,
    lostAtDestination: false,
  };
}
