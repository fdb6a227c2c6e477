/** `virDomainMigrateFlags`. */
export const MigrateFlag = {
  live: 1 << 0,
  /** The source's libvirt connects to the destination's by itself. */
  peerToPeer: 1 << 1,
  tunnelled: 1 << 2,
  persistDestination: 1 << 3,
  undefineSource: 1 << 4,
  /** The guest stays paused at the destination. */
  paused: 1 << 5,
  nonSharedDisk: 1 << 6,
  nonSharedIncremental: 1 << 7,
  changeProtection: 1 << 8,
  /** Also when the cache mode of a disk makes it unsafe. */
  unsafe: 1 << 9,
  offline: 1 << 10,
  compressed: 1 << 11,
  /** A soft error, of a disk for example, ends it. */
  abortOnError: 1 << 12,
  autoConverge: 1 << 13,
  rdmaPinAll: 1 << 14,
  postCopy: 1 << 15,
  tls: 1 << 16,
  parallel: 1 << 17,
  nonSharedSynchronousWrites: 1 << 18,
  postCopyResume: 1 << 19,
  zeroCopy: 1 << 20,
} as const;

/** `virDomainMigrateMaxSpeedFlags`. */
export const MaxSpeedFlag = { postCopy: 1 << 0 } as const;

/** `virDomainGetJobStatsFlags`. */
export const JobStatsFlag = {
  /** Those of the latest job that has ended, once. */
  completed: 1 << 0,
  /** Keeps them for whoever asks next. */
  keepCompleted: 1 << 1,
} as const;

/** `virDomainAbortJobFlagsValues`. */
export const AbortJobFlag = { postCopy: 1 << 0 } as const;

/** `virDomainXMLFlags`. */
export const XmlFlag = {
  /** With passwords. */
  secure: 1 << 0,
  /** As it will be at its next start. */
  inactive: 1 << 1,
  updateCpu: 1 << 2,
  /** As another libvirt takes it for a migration. */
  migratable: 1 << 3,
} as const;

/** `virDomainCreateFlags`. */
export const CreateFlag = {
  paused: 1 << 0,
  /** It ends with the connection. */
  autoDestroy: 1 << 1,
  bypassCache: 1 << 2,
  forceBoot: 1 << 3,
  validate: 1 << 4,
  resetNvram: 1 << 5,
} as const;

/** `virDomainDestroyFlagsValues`. */
export const DestroyFlag = {
  /** SIGTERM only. */
  graceful: 1 << 0,
  removeLogs: 1 << 1,
} as const;

/** `virDomainDefineFlags`. */
export const DefineFlag = { validate: 1 << 0 } as const;

/** `virDomainUndefineFlagsValues`. */
export const UndefineFlag = {
  managedSave: 1 << 0,
  snapshotsMetadata: 1 << 1,
  nvram: 1 << 2,
  keepNvram: 1 << 3,
  checkpointsMetadata: 1 << 4,
  tpm: 1 << 5,
  keepTpm: 1 << 6,
} as const;

/** `virConnectListAllDomainsFlags`; none for all. */
export const ListDomainsFlag = {
  active: 1 << 0,
  inactive: 1 << 1,
  persistent: 1 << 2,
  transient: 1 << 3,
  running: 1 << 4,
  paused: 1 << 5,
  shutoff: 1 << 6,
  other: 1 << 7,
} as const;

/** `virConnectCompareCPUFlags`. */
export const CompareCpuFlag = { failIncompatible: 1 << 0, validateXml: 1 << 1 } as const;

/** `virCPUCompareResult`. */
export const CpuComparison = { error: -1, incompatible: 0, identical: 1, superset: 2 } as const;

/** `virDomainQemuMonitorCommandFlags`; QMP without. */
export const MonitorCommandFlag = { humanMonitor: 1 << 0 } as const;

/** `virConnectDomainQemuMonitorEventRegisterFlags`: how the event's name is meant. */
export const MonitorEventFlag = { regularExpression: 1 << 0, ignoreCase: 1 << 1 } as const;
