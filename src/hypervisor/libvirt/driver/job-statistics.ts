import { toMbps } from "../../../platform/rates.ts";
import type { MigrationProgress, MigrationStatus } from "../../hypervisor.ts";
import { JobField, JobOperation, JobType } from "../rpc/constants/jobs.ts";
import {
  parameterValues,
  type TypedParameter,
  type TypedParameterValue,
} from "../rpc/xdr/typed-parameter.ts";

/** What libvirt tells of a domain's job (`virDomainGetJobStats`); null for what it does not tell. */
export interface JobStatistics {
  /** @see JobType */
  type: number;
  /** @see JobOperation */
  operation: number;
  elapsedMs: number | null;
  setupMs: number | null;
  /** Between the stop and the start of the guest; of a migration that has ended. */
  downtimeMs: number | null;
  memoryTotalBytes: number | null;
  memoryTransferredBytes: number | null;
  memoryRemainingBytes: number | null;
  memoryBytesPerSecond: number | null;
  dirtyPagesPerSecond: number | null;
  pageBytes: number | null;
  /** Passes over the memory. */
  iteration: number | null;
  /** Percent that auto-converge takes of the guest's processors. */
  throttlePercent: number | null;
  postCopyRequests: number | null;
  errorText: string | null;
}

/** Reads the reply to `domainGetJobStats`. */
export function readJobStatistics(reply: {
  type: number;
  parameters: readonly TypedParameter[];
}): JobStatistics {
  const values = parameterValues(reply.parameters);
  const number = (name: string) => numberOf(values.get(name));
  const errorText = values.get(JobField.errorMessage);
  return {
    type: reply.type,
    operation: number(JobField.operation) ?? JobOperation.unknown,
    elapsedMs: number(JobField.timeElapsed),
    setupMs: number(JobField.setupTime),
    downtimeMs: number(JobField.downtime),
    memoryTotalBytes: number(JobField.memoryTotal),
    memoryTransferredBytes: number(JobField.memoryProcessed),
    memoryRemainingBytes: number(JobField.memoryRemaining),
    memoryBytesPerSecond: number(JobField.memoryBps),
    dirtyPagesPerSecond: number(JobField.memoryDirtyRate),
    pageBytes: number(JobField.memoryPageSize),
    iteration: number(JobField.memoryIteration),
    throttlePercent: number(JobField.autoConvergeThrottle),
    postCopyRequests: number(JobField.memoryPostCopyRequests),
    errorText: typeof errorText === "string" ? errorText.slice(0, 2000) : null,
  };
}

/** Whether a migration away from this host is under way. */
export function isGoingOut({ type, operation }: JobStatistics): boolean {
  const isUnderWay = type === JobType.bounded || type === JobType.unbounded;
  return isUnderWay && operation === JobOperation.migrationOut;
}

/** The statistics in QEMU's words; zeros for what libvirt does not tell. */
export function progressOf(
  statistics: JobStatistics | null,
  status: MigrationStatus,
  errorText: string | null,
): MigrationProgress {
  const dirtySyncCount = statistics?.iteration ?? 0;
  const dirtyPagesPerSecond = statistics?.dirtyPagesPerSecond ?? 0;
  return {
    status,
    transferredBytes: statistics?.memoryTransferredBytes ?? 0,
    remainingBytes: statistics?.memoryRemainingBytes ?? 0,
    totalBytes: statistics?.memoryTotalBytes ?? 0,
    dirtyBytesPerSecond:
      dirtySyncCount < 2 ? null : dirtyPagesPerSecond * (statistics?.pageBytes ?? 4096),
    bandwidthMbps: toMbps(statistics?.memoryBytesPerSecond ?? 0),
    dirtySyncCount,
    throttlePercent: statistics?.throttlePercent || null,
    errorText,
  };
}

function numberOf(value: TypedParameterValue | undefined): number | null {
  if (typeof value !== "bigint" && typeof value !== "number") return null;
  const number = Number(value);
  return Number.isFinite(number) && number >= 0 ? number : null;
}
