import { z } from "zod";

/** A guest's name, or the beginning of names followed by `*`. */
export const guestPattern = z
  .string()
  .regex(
    /^([A-Za-z0-9][A-Za-z0-9._-]{0,62}\*?|\*)$/,
    "not a guest's name, nor the beginning of one with *",
  );

/** Whether one of the patterns fits a guest. */
export function coversGuest(patterns: readonly string[], guest: string): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith("*") ? guest.startsWith(pattern.slice(0, -1)) : guest === pattern,
  );
}
