/** `virDomainState`. */
export const DomainState = {
  noState: 0,
  running: 1,
  blocked: 2,
  paused: 3,
  /** Being shut down. */
  shutdown: 4,
  shutoff: 5,
  crashed: 6,
  suspendedByGuest: 7,
} as const;

/** Why it is running (`virDomainRunningReason`). */
export const RunningReason = {
  unknown: 0,
  booted: 1,
  migrated: 2,
  restored: 3,
  fromSnapshot: 4,
  unpaused: 5,
  migrationCancelled: 6,
  saveCancelled: 7,
  wokenUp: 8,
  crashed: 9,
  postCopy: 10,
  postCopyFailed: 11,
} as const;

/** Why it is paused (`virDomainPausedReason`). */
export const PausedReason = {
  unknown: 0,
  user: 1,
  migration: 2,
  save: 3,
  dump: 4,
  ioError: 5,
  watchdog: 6,
  fromSnapshot: 7,
  shuttingDown: 8,
  snapshot: 9,
  crashed: 10,
  startingUp: 11,
  postCopy: 12,
  postCopyFailed: 13,
  apiError: 14,
} as const;

/** Why it does not run (`virDomainShutoffReason`). */
export const ShutoffReason = {
  unknown: 0,
  shutdown: 1,
  destroyed: 2,
  crashed: 3,
  migrated: 4,
  saved: 5,
  failed: 6,
  fromSnapshot: 7,
  daemon: 8,
} as const;
