/** What nft(8) lists, in a form that compares: without counts, and tables by name instead of as they were loaded. */
export function comparableRuleset(listed: string): string {
  return listed
    .replaceAll(/packets \d+ bytes \d+/g, "")
    .split(/^(?=table )/m)
    .map((table) => table.trimEnd())
    .toSorted()
    .join("\n");
}
