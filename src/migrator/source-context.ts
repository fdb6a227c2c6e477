import type {
  GuestEvent,
  GuestInstance,
  MigrationProgress,
  StreamAnswer,
  StreamFeatures,
} from "../hypervisor/hypervisor.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import type { TunnelInterface, TunnelKind } from "../tunnels/tunnel.ts";
import type { Afterwards } from "./afterwards.ts";
import type { ClockOffset } from "./clock-offset.ts";
import type { TellProgress } from "./convergence.ts";
import type { GateEvent } from "./events.ts";
import type { FlowCarrier } from "./flow-carrier.ts";
import type { GatePoint, Gates } from "./gates.ts";
import type { GuestShares, LinkLook } from "./guest-share-links.ts";
import type { HostContext } from "./host-context.ts";
import type { InboundRate } from "./inbound-rate.ts";
import type { MigrationOptions } from "./migration-options.ts";
import type { Pace } from "./pacing.ts";
import type { PrecopyCourse } from "./precopy-course.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { GuestRecord, Renumbering } from "./records.ts";
import type { repointProcedures } from "./repoint-procedures.ts";
import type { GateResult } from "./report.ts";
import type { Strategy } from "./strategy.ts";
import type { StreamBandwidth } from "./stream-bandwidth.ts";
import type { Timeline } from "./timeline.ts";

/** What this host brings to every migration that leaves it. */
export interface SourceContext extends HostContext {
  /** @throws SojournError when no such peer is configured. */
  peer(
    host: string,
  ): PeerCaller<typeof migrationProcedures & typeof repointProcedures & ClockProcedure>;
  policy: MigrationPolicy;
  /** Asked at the source alone. */
  gates: Gates;
  /** What waits in this host's sockets to a TCP port, bytes. */
  unsentBytes(address: string, port: number): number;
  /** Of the links that streams leave through. */
  shares: GuestShares;
}

type ClockProcedure = typeof import("./clock-procedure.ts").clockProcedure;

export interface MigrationPolicy {
  /** Longest time that a guest is stopped before the promise. */
  frozenDeadlineMs: number;
  downtimeLimitMs: number;
  /** 0 means as fast as the link takes it. */
  maxBandwidthBytesPerSecond: number;
  minimumPasses: number;
  /** Longest predicted blackout that policy `finish` accepts. */
  finishLimitMs: number;
  /** What the link can carry; 0 where it has to be found out. */
  linkBytesPerSecond: number;
  /** 0 for one plain connection. */
  multifdChannels: number;
  compression: "none" | "zstd" | "zlib";
  /** How long after the promise the source asks an unreachable destination before it is in doubt. */
  settleDeadlineMs: number;
  /** How long after the promise a destination that answers may take to run the guest before it must decide. */
  takeoverDeadlineMs: number;
}

/** What one migration is about; fixed from its start. */
export interface MigrationTask {
  id: string;
  guest: string;
  epoch: number;
  to: string;
  toUnderlayAddress: string;
  tunnelKind: TunnelKind;
  /** For the precopy: what a strategy does after the switchover is no part of it. */
  deadlineMs: number;
  strategy: Strategy;
  options: MigrationOptions;
  /** Others began it, with libvirt. */
  followed?: boolean;
  /** The guest is to have an address of the destination too; absent when it keeps its own alone. */
  renumber?: Renumber;
}

/** How a guest is to be renumbered. */
export interface Renumber extends Omit<Renumbering, "renumbered"> {
  /** `auto`: the destination chooses. */
  address: string;
}

/** What the steps of one migration find out and hand to later steps. */
export interface MigrationFacts {
  instance: GuestInstance;
  /** The guest's record from before the migration: what a roll-back restores. */
  before: GuestRecord;
  resume: boolean;
  timeline: Timeline;
  /** Whatever is not the switchover itself waits here from `pre-switchover` until QEMU was told to go on. */
  afterwards: Afterwards;
  onProgress: TellProgress;
  onGate(event: GateEvent): void;
  /** Where all gates have allowed it: nobody is asked twice, however often the stream begins. */
  passedGates: Set<GatePoint>;
  /** What the gates have decided so far. */
  gates: GateResult[];
  /** What has become of the stream while gates were waited for; null when nobody was, or not for long. */
  rest: "held" | "given-up" | null;
  predictedBlackoutMs: number | null;
  /** It does not converge, and may go by post-copy: it is stopped as it is. */
  viaPostCopy: boolean;
  /** How the rest of its memory followed; null until it has. */
  postCopy: { durationMs: number; recovered: number } | null;
  migrationPort: number | null;
  /** Where the destination takes the stream; null for its underlay address. */
  streamAddress: string | null;
  /** Of the destination's hypervisor to the offer of ours; undefined where neither says anything. */
  streamAnswer: StreamAnswer | undefined;
  /** What both sides have set for the stream. */
  streamFeatures: StreamFeatures;
  /** Of the stream that is under way, or was last. */
  bandwidth: StreamBandwidth;
  /** The link's traffic when the stream had not begun; null when it was not looked at. */
  linkBefore: LinkLook | null;
  /** What the present stream has shown so far. */
  course: PrecopyCourse;
  /** The furthest that the guest was throttled; null when it was not. */
  throttledPercent: number | null;
  tunnel: { kind: TunnelKind; datapath: "kernel" | "bpf"; mtu: number } | null;
  tunnelInterface: TunnelInterface | null;
  /** Of the destination; null when it was not estimated. */
  clockOffset: ClockOffset | null;
  inboundRate: InboundRate;
  /** Monotonic; when QEMU was told to send the guest. */
  streamStartedMs: number | null;
  /** How QEMU is kept from switching over before it is told to. */
  pace: Pace;
  attempts: number;
  /** Bytes of the last stream that QEMU ended by itself: far less than memory where most pages are empty. */
  carriedBytes: number | null;
  /** Monotonic; when QEMU was told to stop the guest. Null for a guest that stood already. */
  stopIssuedMs: number | null;
  /** The source's STOP and the destination's RESUME, in ms since the start of the timeline. */
  stoppedMs: number | null;
  resumedMs: number | null;
  preSwitchover: Promise<GuestEvent> | null;
  /** Resolves once the timeline shows when QEMU went on. */
  continued: Promise<void>;
  /** Resolves when our QEMU has handed everything over, or has failed to. */
  handedOver: Promise<unknown>;
  networkHold: Disposable | null;
  finalProgress: MigrationProgress | null;
  packetsDropped: number | null;
  /** What carries the guest's flows; null where nobody does. */
  flows: FlowCarrier | null;
  /** Completing them took so long that the stream was given up: the next one is not to wait for that again. */
  flowsTookTheStream: boolean;
  /** The guest's address at the destination; null when it has none, or none yet. */
  renumbered: string | null;
  /** The destination had taken the guest over, and its process has ended since. */
  lostAtDestination: boolean;
}

/** Lets others change the network again; safe to call without a hold. */
export function releaseNetwork(facts: Pick<MigrationFacts, "networkHold">): void {
  facts.networkHold?.[Symbol.dispose]();
  facts.networkHold = null;
}
