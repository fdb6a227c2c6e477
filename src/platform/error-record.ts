import { type ErrorRecord, SojournError } from "./errors.ts";

/** Rebuilds the error that another process sent, or null when the value is not an error record. */
export function errorFromJson(value: unknown, httpStatus: number): SojournError | null {
  const record = isProblem(value) ? recordOf(value) : value;
  return isErrorRecord(record) ? SojournError.fromRecord(record, httpStatus) : null;
}

type Problem = Omit<ErrorRecord, "type" | "message"> & { detail: string };

/** A problem (RFC 9457) as the API answers it carries the same members as a record, but for two. */
function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "detail" in value;
}

function recordOf({ detail, ...members }: Problem): ErrorRecord {
  return { ...members, type: "error", message: detail };
}

/** Whether what another process sent is an error of ours: its code becomes part of what users see. */
function isErrorRecord(value: unknown): value is ErrorRecord {
  if (typeof value !== "object" || value === null) return false;
  const record = value as Partial<ErrorRecord>;
  return (
    record.type === "error" &&
    typeof record.code === "string" &&
    /^SOJ_[A-Z0-9_]{1,60}$/.test(record.code) &&
    typeof record.message === "string" &&
    isNullOr("string", record.hint) &&
    isNullOr("string", record.guest_state) &&
    Number.isInteger(record.exit_code) &&
    typeof record.retryable === "boolean" &&
    (record.id === undefined || typeof record.id === "string")
  );
}

function isNullOr(type: "string", value: unknown): boolean {
  return value === null || typeof value === type;
}
