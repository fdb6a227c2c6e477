import { int32, uint32, uint64 } from "@stellar/js-xdr";
import { remoteProcedure } from "../procedure.ts";
import { domain } from "../xdr/domain.ts";
import { typedParameters } from "../xdr/typed-parameter.ts";

/** What is being done with the domain, a migration for example. @see JobType */
export const domainGetJobInfo = remoteProcedure(
  163,
  "domain_get_job_info",
  { domain },
  {
    type: int32(),
    timeElapsedMs: uint64(),
    timeRemainingMs: uint64(),
    dataTotalBytes: uint64(),
    dataProcessedBytes: uint64(),
    dataRemainingBytes: uint64(),
    memoryTotalBytes: uint64(),
    memoryProcessedBytes: uint64(),
    memoryRemainingBytes: uint64(),
    fileTotalBytes: uint64(),
    fileProcessedBytes: uint64(),
    fileRemainingBytes: uint64(),
  },
);

/** The same and more, by name. @see JobField @see JobStatsFlag */
export const domainGetJobStats = remoteProcedure(
  298,
  "domain_get_job_stats",
  { domain, flags: uint32() },
  { type: int32(), parameters: typedParameters },
);

/** Ends the job; a migration is cancelled. */
export const domainAbortJob = remoteProcedure(164, "domain_abort_job", { domain }, {});

/** Since libvirt 8.5. @see AbortJobFlag */
export const domainAbortJobFlags = remoteProcedure(
  442,
  "domain_abort_job_flags",
  { domain, flags: uint32() },
  {},
);
