import { usageError } from "../platform/errors.ts";

/** Where a page of migrations ends. */
export interface ListPlace {
  startedMs: number;
  id: string;
}

/** The place as callers hand it back: opaque to them. */
export function cursorOf({ startedMs, id }: ListPlace): string {
  return Buffer.from(`${startedMs} ${id}`).toString("base64url");
}

/** @throws SojournError `SOJ_BAD_CURSOR` for what `cursorOf` has not made. */
export function placeOfCursor(cursor: string): ListPlace {
  const text = Buffer.from(cursor, "base64url").toString();
  const match = /^(\d{1,15}(?:\.\d{1,12})?) ([A-Za-z0-9][A-Za-z0-9._-]{0,62})$/.exec(text);
  if (match?.[2] !== undefined) return { startedMs: Number(match[1]), id: match[2] };
  throw usageError(
    `${JSON.stringify(cursor.slice(0, 80))} is not a cursor`,
    "take the one in the Link header of the page before",
    "SOJ_BAD_CURSOR",
  );
}
