import type { GuestDefinition } from "./definition.ts";

/** QAPI `RunState`; the values that decide something are named, others pass through. */
export type RunState =
  | "running"
  | "paused"
  | "inmigrate"
  | "prelaunch"
  | "finish-migrate"
  | "postmigrate"
  | "shutdown"
  | (string & {});

/** QAPI `MigrationStatus`. */
export type MigrationStatus =
  | "none"
  | "setup"
  | "active"
  | "pre-switchover"
  | "device"
  | "postcopy-active"
  | "postcopy-paused"
  | "postcopy-recover-setup"
  | "postcopy-recover"
  | "completed"
  | "failed"
  | "cancelling"
  | "cancelled"
  | (string & {});

/** One reading of `query-migrate`. */
export interface MigrationProgress {
  status: MigrationStatus;
  transferredBytes: number;
  remainingBytes: number;
  totalBytes: number;
  /** Dirtied by the guest, as QEMU last measured it; null before the first measurement. */
  dirtyBytesPerSecond: number | null;
  bandwidthMbps: number;
  dirtySyncCount: number;
  /** By how much auto-converge slows the guest's processors; null while it does not. */
  throttlePercent: number | null;
  /** QEMU's own words when the status is `failed`. */
  errorText: string | null;
}

/** A QMP event. `timestampMs` is the host's wall clock as QEMU stamped it, `receivedMs` our monotonic clock. */
export interface GuestEvent {
  name: string;
  data: Record<string, unknown>;
  timestampMs: number;
  receivedMs: number;
}

/** Where a guest's NIC is plugged in: an existing tap, one per NIC of the definition, in order. */
export interface NicAttachment {
  tapName: string;
}

/** A file, or a device of the host, that the guest's process has open as storage. */
export interface OpenFile {
  /** As the process was told it. */
  path: string;
  /** Which disk of the definition it is of; null for what something else has named. */
  disk: number | null;
  readOnly: boolean;
  /** Whether the host's page cache is used (`cache.direct` is off). */
  usesPageCache: boolean;
  /** Whether what the guest wants on the storage is not put there (`cache.no-flush`). */
  ignoresFlush: boolean;
}

export interface OpenStorage {
  files: OpenFile[];
  /** Disks of the definition that have been given another image since their guest was started. */
  replacedDisks: number[];
}

export interface OutgoingParameters {
  downtimeLimitMs: number;
  /** 0 means unlimited. */
  maxBandwidthBytesPerSecond: number;
  /** Of pages that nobody waits for, while they follow (`max-postcopy-bandwidth`); 0, as when absent, means unlimited. */
  maxPostCopyBandwidthBytesPerSecond?: number;
}

/** How auto-converge slows a guest whose passes do not get shorter (QAPI `cpu-throttle-…`, `max-cpu-throttle`); 1 to 99. */
export interface ThrottleParameters {
  initialPercent: number;
  incrementPercent: number;
  maximumPercent: number;
}

/** How the pages of a stream are made smaller; only streams of several channels can. */
export type StreamCompression = "none" | "zstd" | "zlib";

/** What a stream may use besides what every one has; asked of both QEMUs, never assumed from a version. */
export interface StreamFeatures {
  /** The guest may run at the destination before all of its memory is there. */
  postCopy: boolean;
  /** Connections that carry pages beside the stream's own one; 0: none. Excluded by `postCopy`. */
  multifdChannels: number;
  compression: StreamCompression;
}

export interface OutgoingPreparation extends OutgoingParameters {
  /** Those that the destination has set; none when absent. */
  features?: StreamFeatures;
  /** Null or absent: the guest is not slowed. */
  throttle?: ThrottleParameters | null;
}

export interface OutgoingReadiness {
  /** QEMU will not switch over by itself while the guest runs, however little is left to send. */
  heldUntilStopped: boolean;
}

/**
 * What a source's hypervisor has to tell the destination's before it can receive the guest, besides the definition;
 * nobody else reads it.
 */
export interface StreamOffer {
  /** What the guest is made of, in the hypervisor's own words (libvirt: domain XML). */
  description: string;
  /** Base64. */
  cookie: string;
}

/** What the destination's hypervisor answers to an offer. */
export interface StreamAnswer {
  /** Base64. */
  cookie: string;
}

/**
 * One hypervisor process that holds (or will receive) a guest. It survives this daemon.
 * Every method throws `SojournError` `SOJ_HYPERVISOR_…`: `_GONE` once the process has died; `_DISCONNECTED`
 * (retryable) while it lives but its monitor does not answer, which proves nothing about the guest;
 * `_WRONG_GUEST` when the monitor is another's; `_REFUSED` with QEMU's own words; `_TIMEOUT` when the
 * outcome is unknown.
 * Disposing closes the monitor connection only; it never ends the process.
 */
export interface GuestInstance extends AsyncDisposable {
  readonly guest: string;
  /** Distinguishes two processes of one guest on one host. */
  readonly instanceId: string;
  readonly pid: number;
  readonly definition: GuestDefinition;
  readonly nics: readonly NicAttachment[];
  /** Started by `startIncoming`; stays true after the guest has arrived. */
  readonly incoming: boolean;
  /** Somebody else started it, and it became a guest while it ran. */
  readonly isAdopted?: boolean;
  /** File that receives the guest's serial console. */
  readonly consolePath: string;
  /**
   * Whoever stops the guest cannot hold the rest of the stream back: it goes to its end by itself. At the source
   * `pre-switchover` (event and status) then means that all of it has arrived, and `continueMigration` is not called; the
   * destination's process, loaded, waits paused until its source has said that its own copy never runs again.
   */
  readonly sealsStream?: boolean;

  runState(): Promise<RunState>;
  /** What it has open as storage, images that others lie on included. */
  openStorage(): Promise<OpenStorage>;
  /** Resolves when the process has ended, however it ended. */
  readonly ended: Promise<void>;
  isAlive(): boolean;
  /** Whether its process is seen to be gone although nobody has told of its end yet; absent where `isAlive` looks itself. */
  isProcessGone?(): boolean;

  /**
   * Waits for the first event from now on (registered synchronously, before anything is sent) that `matches`.
   * @throws SojournError `SOJ_EVENT_TIMEOUT` naming `description`, or `SOJ_HYPERVISOR_GONE`.
   */
  waitForEvent(
    description: string,
    matches: (event: GuestEvent) => boolean,
    options: { timeoutMs: number; signal?: AbortSignal },
  ): Promise<GuestEvent>;
  /** Calls back for every event until the returned function is called. */
  onEvent(listener: (event: GuestEvent) => void): () => void;
  /** Every event from the call on, as an async stream that ends when `signal` fires. */
  events(signal: AbortSignal): AsyncIterable<GuestEvent>;

  /** QMP `stop`. The caller checks `runState()`. */
  stop(): Promise<void>;
  /** QMP `cont`; refused (`SOJ_HYPERVISOR_REFUSED`) while the guest's state has not arrived. */
  cont(): Promise<void>;
  /** Asks for an orderly shutdown (`system_powerdown`). */
  powerDown(): Promise<void>;
  /** QMP `quit`, then, after `graceMs`, SIGKILL to this process only. Resolves when it has ended. */
  quit(graceMs?: number): Promise<void>;

  /**
   * Destination: opens the incoming port (`migrate-incoming`), returns the port QEMU listens on. With TLS it takes
   * a stream from `sourceHost` only; who else connects is turned away and the port stays open. `features` are those of
   * `wanted` that it has set.
   */
  listenForMigration(
    address: string,
    sourceHost: string,
    wanted?: StreamFeatures,
  ): Promise<{ port: number; answer?: StreamAnswer; features?: StreamFeatures }>;
  /** Source: of a stream that somebody else began with the same hypervisor; status `none` while there is none. */
  othersProgress?(): Promise<MigrationProgress>;
  /** Source: begins a stream to `destinationHost`; absent where the definition is all that a destination needs. */
  offerStream?(destinationHost: string): Promise<StreamOffer>;
  /** Of those wanted, what its process can do; nothing stays set. Absent where there are none. */
  streamFeatures?(wanted: StreamFeatures): Promise<StreamFeatures>;
  /** Source: sets capabilities and parameters (`events`, `return-path`, `pause-before-switchover`). */
  prepareOutgoing(parameters: OutgoingPreparation): Promise<OutgoingReadiness>;
  setOutgoingParameters(parameters: Partial<OutgoingParameters>): Promise<void>;
  /**
   * Sends the guest; with TLS to nobody but `destinationHost`, and it resolves once that has been proved.
   * @throws SojournError `SOJ_STREAM_REFUSED`, `SOJ_STREAM_SILENT`; the guest runs on.
   */
  migrateTo(
    address: string,
    port: number,
    destinationHost: string,
    answer?: StreamAnswer,
  ): Promise<void>;
  migrationProgress(): Promise<MigrationProgress>;
  /**
   * `migrate-continue` from `pre-switchover`. In post-copy the guest can run here never again from here on, whatever becomes of
   * the destination (QEMU 10.0.2 refuses `cont` and `migrate_cancel` in each state that follows, also when the stream was
   * broken before): look at `errorText` first, which tells of a dead destination within milliseconds.
   */
  continueMigration(): Promise<void>;
  /**
   * The stream then ends as `cancelled`, over TLS now and then as `failed`; the guest is as it was. One that seals itself
   * (`sealsStream`) is ended so too when it is only offered (nothing else keeps the guest bound to it then), when all of it
   * has arrived, and without an error when there is none any more.
   */
  cancelMigration(): Promise<void>;
  /**
   * Source, guest stopped: `migrate-start-postcopy`; `pre-switchover` follows as in precopy, can be cancelled as ever, and
   * with little left to send the rest is precopy too. Absent, like the three below, where there is no post-copy.
   * The destination says `postcopy-active` a moment before it can do without the connection: only once its run state is
   * `paused`, no longer `inmigrate`, may the guest be told to run there, and the connection break.
   */
  startPostCopy?(): Promise<void>;
  /**
   * Either side, while pages follow: gives the connection up (`migrate-pause`, out of band); no page is lost. Nothing where
   * none follow now.
   */
  pausePostCopy?(): Promise<void>;
  /** Destination, `postcopy-paused`: takes the rest on a new port (`migrate-recover`, out of band), again if need be. */
  listenForRecovery?(address: string): Promise<{ port: number }>;
  /**
   * Source, `postcopy-paused`: sends the rest to where the destination listens now (`migrate` with `resume`).
   * @throws SojournError `SOJ_STREAM_REFUSED`, `SOJ_STREAM_SILENT`; it may be tried again
   */
  resumePostCopy?(address: string, port: number, destinationHost: string): Promise<void>;
  /**
   * How fast the running guest dirties its memory, in bytes per second, measured for a second; null where that cannot be told,
   * absent where it cannot be asked.
   */
  dirtyRate?(): Promise<number | null>;
  /** QEMU's self-announcement (RARP), `announce-self`. */
  announceSelf(): Promise<void>;
}

/** What runs a guest where it is not QEMU by itself. */
export type HypervisorKind = NonNullable<GuestDefinition["hypervisor"]>;

export interface HypervisorCapabilities {
  version: string;
  accelerator: "kvm" | "tcg";
  /** Guests may arrive by post-copy, as far as the kernel is concerned; its process has the last word. */
  postCopy?: boolean;
}

/** A process that somebody else started, as it becomes a guest's. */
export interface RunningProcess {
  definition: GuestDefinition;
  nics: readonly NicAttachment[];
  pid: number;
  startTicks: number;
  commandLineDigest: string;
  /** Absolute path of its monitor. */
  monitor: string;
  /** The hypervisor's own name for it; null without one. */
  ownName: string | null;
}

/** A hypervisor whose processes need not be of its own making. */
export interface AdoptingHypervisor extends Hypervisor {
  /**
   * Takes hold of a process that runs already, and writes that down last: a daemon that dies before has changed nothing.
   * @throws SojournError `SOJ_HYPERVISOR_GONE`, `SOJ_HYPERVISOR_WRONG_GUEST`, or what its monitor throws
   */
  adopt(process: RunningProcess): Promise<GuestInstance>;
  /** Forgets an adopted process, which goes on as it is. */
  letGo(instance: GuestInstance): Promise<void>;
  /** Whether this host could make the guest's machine, and which devices it would have. @throws SojournError */
  rehearse(definition: GuestDefinition): Promise<string[]>;
}

export interface Hypervisor {
  /**
   * Of what runs guests by default, or those of a kind.
   * @throws SojournError when QEMU is missing, or too old: before 9.0, TCG corrupts a migrating guest.
   */
  capabilities(kind?: HypervisorKind): Promise<HypervisorCapabilities>;
  /** Boots the guest. */
  start(definition: GuestDefinition, nics: readonly NicAttachment[]): Promise<GuestInstance>;
  /** Starts an empty process that waits paused (`-S -incoming defer`) for the guest's state. */
  startIncoming(
    definition: GuestDefinition,
    nics: readonly NicAttachment[],
    offer?: StreamOffer,
  ): Promise<GuestInstance>;
  /** Finds the processes that earlier daemons started and connects to them; forgets records of dead ones. */
  findInstances(): Promise<GuestInstance[]>;
}
