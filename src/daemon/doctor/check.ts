import { asSojournError } from "../../platform/errors.ts";
import type { DoctorCheck } from "../services.ts";

/** What one kind of check is about. */
export interface Topic {
  /** Stable; never changed once released. */
  id: string;
  /** Why it matters, as a sentence. */
  why: string;
  subject?: string;
  /** For people; by default the id and the subject. */
  name?: string;
}

/** What to do about it. */
export interface Remedy {
  hint?: string | null;
  /** Lines for a shell. */
  mend?: string | readonly string[];
  /** True when `mend` is nothing but `sysctl -w` lines that harm nobody. */
  fixable?: boolean;
}

export function ok(topic: Topic, detail: string): DoctorCheck {
  return { ...headOf(topic), result: "ok", detail, ...nothingToDo, why: null };
}

export function warn(topic: Topic, detail: string, remedy: Remedy = {}): DoctorCheck {
  return { ...headOf(topic), result: "warn", detail, why: topic.why, ...whatToDo(remedy) };
}

export function fail(topic: Topic, detail: string, remedy: Remedy = {}): DoctorCheck {
  return { ...headOf(topic), result: "fail", detail, why: topic.why, ...whatToDo(remedy) };
}

export function skipped(topic: Topic, reason: string, hint: string | null = null): DoctorCheck {
  return {
    ...headOf(topic),
    result: "skipped",
    detail: reason,
    why: topic.why,
    ...nothingToDo,
    hint,
  };
}

/** Runs one check; what it throws is its failure, or with `missing: "skipped"` the reason that it was not made. */
export async function attempt(
  topic: Topic,
  check: () => Promise<DoctorCheck | DoctorCheck[]>,
  missing: "fail" | "warn" | "skipped" = "fail",
): Promise<DoctorCheck[]> {
  try {
    return [await check()].flat();
  } catch (thrown) {
    const { message, hint } = asSojournError(thrown);
    if (missing === "skipped") return [skipped(topic, message, hint)];
    return [(missing === "warn" ? warn : fail)(topic, message, { hint })];
  }
}

/** The same checks, said of a host. */
export function onHost(host: string, checks: readonly DoctorCheck[]): DoctorCheck[] {
  return checks.map((check) => ({ ...check, host: check.host ?? host }));
}

const nothingToDo = { hint: null, mend: null, fixable: false } as const;

function headOf({ id, subject, name }: Topic) {
  return {
    id,
    subject: subject ?? null,
    host: null,
    name: name ?? (subject === undefined ? id : `${id} ${subject}`),
  };
}

function whatToDo({ hint, mend, fixable = false }: Remedy) {
  const lines = mend === undefined ? null : [mend].flat().join("\n");
  return { hint: hint ?? lines, mend: lines === "" ? null : lines, fixable };
}
