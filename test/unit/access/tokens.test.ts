import {
  chmod,
  chown,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  formatTokens,
  hashToken,
  isExpired,
  newToken,
  parseTokens,
  type TokenEntry,
  TokenTable,
} from "../../../src/daemon/access/tokens.ts";
import { changeTokensFile, readTokensFile } from "../../../src/daemon/access/tokens-file.ts";
import { SojournError } from "../../../src/platform/errors.ts";

const entry: TokenEntry = {
  name: "ci",
  role: "operate",
  sha256: hashToken("sojourn_x"),
  created: "2026-01-02T03:04:05Z",
  expires: null,
};

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sojourn-tokens-"));
  path = join(folder, "api-tokens.json");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("tokens", () => {
  it("are random, and known by their hash alone", () => {
    const tokens = Array.from({ length: 100 }, newToken);
    expect(new Set(tokens).size).toBe(100);
    for (const token of tokens) expect(token).toMatch(/^sojourn_[A-Za-z0-9_-]{43}$/);
    const table = new TokenTable([
      entry,
      { ...entry, name: "b", sha256: hashToken(tokens[0] ?? "") },
    ]);
    expect(table.find(tokens[0] ?? "")?.name).toBe("b");
    expect(table.find("sojourn_x")?.name).toBe("ci");
    expect(table.find(entry.sha256)).toBeNull();
    expect(table.find("")).toBeNull();
  });

  it("end at their time", () => {
    const until = { ...entry, expires: "2026-01-02T03:04:05Z" };
    const atMs = Date.parse(until.expires);
    expect([isExpired(until, atMs - 1), isExpired(until, atMs)]).toEqual([false, true]);
    expect(isExpired(entry, Number.MAX_SAFE_INTEGER)).toBe(false);
  });

  it.each([
    ["not JSON", "{"],
    ["another shape", "[]"],
    ["an unknown key", JSON.stringify({ tokens: [{ ...entry, token: "sojourn_x" }] })],
    ["an unknown role", JSON.stringify({ tokens: [{ ...entry, role: "root" }] })],
    ["a short hash", JSON.stringify({ tokens: [{ ...entry, sha256: "00" }] })],
    ["one name twice", JSON.stringify({ tokens: [entry, entry] })],
    ["an odd time", JSON.stringify({ tokens: [{ ...entry, expires: "soon" }] })],
  ])("are refused with %s", (_what, text) => {
    expect(() => parseTokens(text, "f")).toThrow(/^f: /);
    try {
      parseTokens(text, "f");
    } catch (error) {
      expect(error).toMatchObject({ code: "SOJ_TOKENS_INVALID", exitCode: 3 });
      expect((error as Error).message).not.toMatch(/sojourn_x|[0-9a-f]{64}/);
    }
  });

  it("any bytes are read as tokens or refused with a typed error", () => {
    const text = formatTokens([entry, { ...entry, name: "b" }]);
    const changes = fc.tuple(fc.nat(text.length), fc.string({ maxLength: 3 }), fc.nat(20));
    const changed = changes.map(([at, put, cut]) => text.slice(0, at) + put + text.slice(at + cut));
    fc.assert(
      fc.property(fc.oneof(changed, fc.string({ unit: "binary" }), fc.json()), (bytes) => {
        try {
          parseTokens(bytes, "f");
        } catch (error) {
          expect(error).toBeInstanceOf(SojournError);
          expect(error).toMatchObject({ code: "SOJ_TOKENS_INVALID" });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("the tokens' file", () => {
  it("is made for root alone, with hashes alone", async () => {
    expect(await readTokensFile(path)).toEqual([]);
    await changeTokensFile(path, () => [entry]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readTokensFile(path)).toEqual([entry]);
    expect(await readFile(path, "utf8")).not.toContain("sojourn_x");
    expect((await readdir(folder)).sort()).toEqual(["api-tokens.json", "api-tokens.json.lock"]);
  });

  it.each([0o640, 0o604, 0o620, 0o666])("is refused with mode %o", async (mode) => {
    await changeTokensFile(path, () => [entry]);
    await chmod(path, mode);
    await expect(readTokensFile(path)).rejects.toMatchObject({ code: "SOJ_TOKENS_UNSAFE" });
    const change = changeTokensFile(path, (tokens) => [...tokens]);
    await expect(change).rejects.toMatchObject({ hint: expect.stringMatching("chmod 600") });
  });

  it("is refused when it is somebody else's, a link or a folder", async () => {
    await changeTokensFile(path, () => [entry]);
    await chown(path, 65_534, 0);
    await expect(readTokensFile(path)).rejects.toMatchObject({ code: "SOJ_TOKENS_UNSAFE" });
    await chown(path, 0, 0);
    const link = join(folder, "link");
    await symlink(path, link);
    await expect(readTokensFile(link)).rejects.toThrow("is a symbolic link");
    await expect(readTokensFile(folder)).rejects.toThrow("is not a file");
    await writeFile(path, "x".repeat(2 ** 20 + 1));
    await expect(readTokensFile(path)).rejects.toThrow("is longer than");
  });

  it("keeps what all of several changers at once have changed", async () => {
    const names = Array.from({ length: 8 }, (_, index) => `t${index}`);
    const add = (name: string) =>
      changeTokensFile(path, (tokens) => [...tokens, { ...entry, name }]);
    await Promise.all(names.map(add));
    expect((await readTokensFile(path)).map(({ name }) => name).sort()).toEqual(names);
  });

  it("stays as it was when a change is refused", async () => {
    await changeTokensFile(path, () => [entry]);
    const refusing = changeTokensFile(path, () => {
      throw new Error("no");
    });
    await expect(refusing).rejects.toThrow("no");
    expect(await readTokensFile(path)).toEqual([entry]);
  });
});
