/** `virDomainJobType`. */
export const JobType = {
  none: 0,
  bounded: 1,
  unbounded: 2,
  completed: 3,
  failed: 4,
  cancelled: 5,
} as const;

/** `virDomainJobOperation`: the value of `JobField.operation`. */
export const JobOperation = {
  unknown: 0,
  start: 1,
  save: 2,
  restore: 3,
  migrationIn: 4,
  migrationOut: 5,
  snapshot: 6,
  snapshotRevert: 7,
  dump: 8,
  backup: 9,
  snapshotDelete: 10,
} as const;

/** Names of job statistics (`VIR_DOMAIN_JOB_…`); times in ms, sizes in bytes, `memoryBps` in bytes per second. */
export const JobField = {
  operation: "operation",
  timeElapsed: "time_elapsed",
  /** Without what passed between the two hosts' clocks. */
  timeElapsedNet: "time_elapsed_net",
  timeRemaining: "time_remaining",
  downtime: "downtime",
  downtimeNet: "downtime_net",
  setupTime: "setup_time",
  dataTotal: "data_total",
  dataProcessed: "data_processed",
  dataRemaining: "data_remaining",
  memoryTotal: "memory_total",
  memoryProcessed: "memory_processed",
  memoryRemaining: "memory_remaining",
  memoryConstantPages: "memory_constant",
  memoryNormalPages: "memory_normal",
  memoryNormalBytes: "memory_normal_bytes",
  memoryBps: "memory_bps",
  /** Pages per second. */
  memoryDirtyRate: "memory_dirty_rate",
  memoryPageSize: "memory_page_size",
  memoryIteration: "memory_iteration",
  memoryPostCopyRequests: "memory_postcopy_requests",
  autoConvergeThrottle: "auto_converge_throttle",
  success: "success",
  errorMessage: "errmsg",
} as const;
