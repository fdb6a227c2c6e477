import type { z } from "zod";
import {
  type BenchmarkProgress,
  type BenchmarkResult,
  type BenchmarkStatus,
  benchmarkErrorSchema,
  benchmarkProgressSchema,
  benchmarkResultSchema,
} from "./schemas.ts";

/** What a line of `sojourn bench --json` is worth. */
export type BenchmarkLine =
  | { progress: BenchmarkProgress }
  | { result: BenchmarkResult }
  | { error: NonNullable<BenchmarkStatus["error"]> };

/** Null for lines that say nothing of these. Pure. */
export function readBenchmarkLine(line: string): BenchmarkLine | null {
  const value = parse(line);
  if (value?.type === "error") return wrap("error", benchmarkErrorSchema, value);
  if (value?.type === "progress") return wrap("progress", benchmarkProgressSchema, value);
  if (value?.type === undefined || value.type === "partial") {
    return wrap("result", benchmarkResultSchema, value);
  }
  return null;
}

function wrap<Key extends string, Schema extends z.ZodType>(
  key: Key,
  schema: Schema,
  value: unknown,
) {
  const checked = schema.safeParse(value);
  return checked.success ? ({ [key]: checked.data } as Record<Key, z.output<Schema>>) : null;
}

function parse(line: string): { type?: unknown } | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
