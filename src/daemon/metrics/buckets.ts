/** How long a guest or its sessions stood, in seconds: a few milliseconds where all goes well, minutes where not. */
export const standstillBuckets = [
  0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60, 120,
];

/** Whole migrations, in seconds. */
export const migrationBuckets = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];

/** Phases of migrations, in seconds: some take no time, precopy minutes. */
export const phaseBuckets = [
  0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800,
];

/** What a migration has sent, in bytes: 16 MiB to 256 GiB. */
export const memoryBuckets = [4, 5, 6, 7, 8, 9, 10, 11].map((power) => 2 ** 16 * 4 ** power);

/** One write to a disk, in seconds. */
export const diskBuckets = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
];

/** Questions and their answers over a network, in seconds. */
export const requestBuckets = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
