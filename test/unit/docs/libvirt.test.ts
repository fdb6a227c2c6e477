import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../support/doc-blocks.ts";

const folder = join(root, "src/hypervisor/libvirt/domain-xml/obstacles");

/** `CODE VERDICT` of everything that the sources judge. */
function judged(): Set<string> {
  const texts = readdirSync(folder).map((file) => readFileSync(join(folder, file), "utf8"));
  const found = texts.flatMap((text) => [
    ...text.matchAll(/\["(refused|depends|noted)",\s*"([a-z-]+)"\]/g),
  ]);
  return new Set(found.map(([, verdict, code]) => `${code} ${verdict}`));
}

/** The same of the table, whose rows may be of several codes. */
function documented(): Set<string> {
  const rows = readFileSync(join(root, "docs/libvirt.md"), "utf8").matchAll(
    /^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| ([a-z, ]+) \|/gm,
  );
  const pairs = [...rows].flatMap(([, codes = "", verdicts = ""]) =>
    [...codes.matchAll(/[a-z-]+/g)].flatMap(([code]) =>
      verdicts.split(", ").map((verdict) => `${code} ${verdict}`),
    ),
  );
  return new Set(pairs);
}

test("every obstacle of a domain is in the table, with its verdict", () => {
  expect(judged().size).toBeGreaterThan(30);
  const [inSources, inTable] = [judged(), documented()];
  expect([...inSources].filter((pair) => !inTable.has(pair))).toEqual([]);
  const codes = new Set([...inSources].map((pair) => pair.split(" ")[0]));
  expect([...inTable].filter((pair) => !codes.has(pair.split(" ")[0]))).toEqual([]);
});
