import { type ErrorRecord, SojournError } from "../platform/errors.ts";

/** Rebuilds the error that another process sent, or null when the value is not an error record. */
export function errorFromJson(value: unknown, httpStatus: number): SojournError | null {
  return isErrorRecord(value) ? SojournError.fromRecord(value, httpStatus) : null;
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
