/** `virDomainEventType`: what a lifecycle event tells. */
export const LifecycleEvent = {
  defined: 0,
  undefined: 1,
  started: 2,
  suspended: 3,
  resumed: 4,
  stopped: 5,
  /** The guest has shut itself down; its QEMU is still there. */
  shutdown: 6,
  suspendedByGuest: 7,
  crashed: 8,
} as const;

/** Detail of `started` (`virDomainEventStartedDetailType`). */
export const StartedDetail = {
  booted: 0,
  migrated: 1,
  restored: 2,
  fromSnapshot: 3,
  wokenUp: 4,
  recreated: 5,
} as const;

/** Detail of `suspended` (`virDomainEventSuspendedDetailType`). */
export const SuspendedDetail = {
  paused: 0,
  migrated: 1,
  ioError: 2,
  watchdog: 3,
  restored: 4,
  fromSnapshot: 5,
  apiError: 6,
  postCopy: 7,
  postCopyFailed: 8,
} as const;

/** Detail of `resumed` (`virDomainEventResumedDetailType`). */
export const ResumedDetail = {
  unpaused: 0,
  migrated: 1,
  fromSnapshot: 2,
  postCopy: 3,
  postCopyFailed: 4,
} as const;

/** Detail of `stopped` (`virDomainEventStoppedDetailType`). */
export const StoppedDetail = {
  shutdown: 0,
  destroyed: 1,
  crashed: 2,
  migrated: 3,
  saved: 4,
  failed: 5,
  fromSnapshot: 6,
  recreated: 7,
} as const;
