import type { Span } from "./element.ts";

/** A place of a text, and what shall be there instead. */
export interface Edit extends Span {
  text: string;
}

/**
 * The text with its edits, and every other character as it was. Edits at one place come in the order that they are given.
 * @throws Error when two edits change the same characters.
 */
export function edited(text: string, edits: readonly Edit[]): string {
  const pieces: string[] = [];
  let done = 0;
  for (const { start, end, text: replacement } of edits.toSorted((a, b) => a.start - b.start)) {
    if (start < done || end < start) throw new Error(`two edits at ${start}`);
    pieces.push(text.slice(done, start), replacement);
    done = end;
  }
  pieces.push(text.slice(done));
  return pieces.join("");
}

const references: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&apos;",
  '"': "&quot;",
};

/** A text as it is written in an element, or in an attribute with either quote. */
export function escapedXml(text: string): string {
  return text.replace(/[&<>'"]/g, (character) => references[character] as string);
}
