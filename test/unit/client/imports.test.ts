import { readFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const source = join(import.meta.dirname, "..", "..", "..", "src");

/** The modules that run when a file is loaded: type-only imports are gone by then. */
async function loadedBy(path: string, seen: Set<string>): Promise<Set<string>> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const text = await readFile(path, "utf8");
  for (const [statement, from = ""] of text.matchAll(
    /^(?:import|export)\b[^;]*?from "([^"]+)";/gms,
  )) {
    if (/^(?:import|export) type\b/.test(statement)) continue;
    if (from.startsWith(".")) await loadedBy(join(dirname(path), from), seen);
    else seen.add(from);
  }
  return seen;
}

test("the client loads nothing of the daemon and no package", async () => {
  const loaded = [...(await loadedBy(join(source, "client", "index.ts"), new Set()))];
  const others = loaded
    .map((path) => (path.startsWith("/") ? relative(source, path) : path))
    .filter((path) => !path.startsWith("client/") && !path.startsWith("node:"));
  expect(others.toSorted()).toEqual([
    "platform/clock.ts",
    "platform/error-record.ts",
    "platform/errors.ts",
  ]);
});
