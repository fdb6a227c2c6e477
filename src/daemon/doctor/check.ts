import { asSojournError } from "../../platform/errors.ts";
import type { DoctorCheck } from "../services.ts";

export function ok(name: string, detail: string): DoctorCheck {
  return { name, result: "ok", detail, hint: null };
}

export function warn(name: string, detail: string, hint: string): DoctorCheck {
  return { name, result: "warn", detail, hint };
}

export function fail(name: string, detail: string, hint: string | null): DoctorCheck {
  return { name, result: "fail", detail, hint };
}

/** Runs one check; what it throws is its failure. */
export async function attempt(
  name: string,
  check: () => Promise<DoctorCheck | DoctorCheck[]>,
): Promise<DoctorCheck[]> {
  try {
    return [await check()].flat();
  } catch (thrown) {
    const error = asSojournError(thrown);
    return [fail(name, error.message, error.hint)];
  }
}
