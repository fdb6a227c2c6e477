import { z } from "zod";

/** Several values of one query key: repeated, or in one separated by commas. */
export function listOf<Item extends z.ZodType>(item: Item) {
  const several = (value: unknown) =>
    [value].flat().flatMap((one) => (typeof one === "string" ? one.split(",") : [one]));
  return z.preprocess(several, z.array(item).min(1).max(20));
}

/** `true` or `false` in a query. */
export const flag = z.enum(["true", "false"]).transform((text) => text === "true");

/** A moment as text, in milliseconds since 1970. */
export const moment = z
  .string()
  .regex(/^(\d{1,15}|\d{4}-\d{2}-\d{2}T[0-9:.]{5,16}(Z|[+-]\d{2}:\d{2}))$/)
  .meta({
    description: "RFC 3339, or milliseconds since 1970",
    examples: ["2026-01-31T12:00:00Z"],
  })
  .transform((text, context) => {
    const value = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
    if (!Number.isNaN(value)) return value;
    context.addIssue("not a moment");
    return z.NEVER;
  });
