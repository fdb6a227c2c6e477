import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { lineOfKey, readToml } from "../../../src/platform/toml.ts";

const schema = z.strictObject({ text: z.string(), list: z.array(z.int()).default([]) });

function messageOf(text: string): string {
  try {
    readToml(schema, text, "file.toml", "SOJ_TEST_INVALID");
  } catch (error) {
    expect(error).toMatchObject({ code: "SOJ_TEST_INVALID", exitCode: 2 });
    return (error as Error).message;
  }
  return "";
}

test("a long line in a text costs no more than its length", () => {
  const line = `${"a.b".repeat(50_000)} "`;
  const text = `text = """\n${line}\n"""\nother = 1`;
  expect(messageOf(text)).toBe("file.toml: line 4: unknown key other");
});

test("a file of nothing but faults costs little, and the first ones are told", () => {
  const unknown = Array.from({ length: 50_000 }, (_, index) => `k${index} = 1`);
  const lines = messageOf(`text = "x"\n${unknown.join("\n")}`).split("\n");
  expect(lines).toHaveLength(11);
  expect(lines[0]).toBe("file.toml: line 2: unknown key k0");
  expect(lines.at(-1)).toBe("and 49990 more");
});

test("wrong values deep in a list are told likewise", () => {
  const lines = messageOf(`text = "x"\nlist = [${'"a",'.repeat(50_000)}]`).split("\n");
  expect(lines).toHaveLength(11);
  expect(lines[3]).toContain("line 2: list[3]: ");
});

test("a text that is too long is not parsed at all", () => {
  expect(messageOf(`text = "${"x".repeat(1024 * 1024)}"`)).toContain("longer than 1048576 bytes");
});

test("keys are found in every form that TOML has for them", () => {
  const text = ['a = 1\nb . "c d" = 2', "[e.'f']", "g=3", "[[h]]", "i = 4", "[[h]]", "i = 5"];
  const lines = (...paths: PropertyKey[][]) =>
    paths.map((path) => lineOfKey(text.join("\n"), path));
  expect(lines(["a"], ["b", "c d"], ["e", "f", "g"], ["h", 0, "i"], ["h", 1, "i"])).toEqual([
    1, 2, 4, 6, 8,
  ]);
  expect(lines(["h", 1, "other"], ["nothing"])).toEqual([7, null]);
});

test("any text and any path give a line of it, or none", () => {
  const piece = fc.constantFrom(
    "[",
    "]",
    "[[a]]",
    '"',
    "'",
    ".",
    "=",
    "\n",
    " ",
    "a",
    "\u0000",
    "é",
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece, { maxLength: 200 }).map((pieces) => pieces.join("")),
  );
  const paths = fc.array(fc.oneof(fc.string(), fc.nat()), { maxLength: 4 });
  fc.assert(
    fc.property(texts, paths, (text, path) => {
      const line = lineOfKey(text, path);
      if (line !== null) expect(line).toBeLessThanOrEqual(text.split("\n").length);
      messageOf(text);
    }),
    { numRuns: 300 },
  );
});
