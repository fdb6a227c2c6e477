import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  configurationDocument,
  daemonKeys,
  guestKeys,
} from "../../../scripts/lib/reference/configuration.ts";
import { errorAreas, errorsDocument, usedCodes } from "../../../scripts/lib/reference/errors.ts";

const docs = join(import.meta.dirname, "..", "..", "..", "docs");

test("every error code of the sources has a sentence, and every sentence a code", () => {
  const told = errorAreas().flatMap(({ sentences }) => [...sentences.keys()]);
  expect(told.toSorted()).toEqual([...usedCodes().keys()].toSorted());
});

test("every error code says what it means, what to do, and what a command ends with", () => {
  for (const { sentences } of errorAreas()) {
    for (const [code, [means, todo]] of sentences) {
      expect(means, code).toMatch(/^\S.{10,}\.$/);
      expect(todo, code).toMatch(/^\S.*[.:?]$/);
    }
  }
  for (const line of errorsDocument().split("\n")) {
    if (line.startsWith("| `SOJ_")) expect(line).toMatch(/^\| `SOJ_[A-Z_<>]+` \| [0-9, ]+ \|/);
  }
});

test("every key of the configuration is described", () => {
  const keys = [...daemonKeys(), ...guestKeys()];
  expect(keys.length).toBeGreaterThan(70);
  const silent = keys.filter(({ description }) => description === null);
  expect(silent.map(({ section, name }) => `${section} ${name}`)).toEqual([]);
});

test("docs/errors.md and docs/configuration.md are those of this source: scripts/reference", async () => {
  expect(await readFile(join(docs, "errors.md"), "utf8")).toBe(errorsDocument());
  expect(await readFile(join(docs, "configuration.md"), "utf8")).toBe(configurationDocument());
});
