import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { definedNames, readDefinition } from "../../../src/migrator/guest-definitions.ts";
import { temporaryFolder } from "./support.ts";

const text = (memory: number) => `name = "web1"\nmemory_mib = ${memory}\n`;

test("a definition is read again when its file has changed, and only then", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "web1.toml");
  const read = () => readDefinition(folder.path, "web1", "host-a");
  expect(read).toThrow(expect.objectContaining({ code: "SOJ_GUEST_UNKNOWN", httpStatus: 404 }));
  writeFileSync(path, text(128));
  expect(read().memory_mib).toBe(128);
  expect(read()).toBe(read());
  const beside = join(folder.path, "new");
  writeFileSync(beside, text(256));
  renameSync(beside, path);
  expect(read().memory_mib).toBe(256);
  writeFileSync(path, text(1024));
  expect(read().memory_mib).toBe(1024);
  expect(definedNames(folder.path)).toEqual(["web1"]);
  writeFileSync(join(folder.path, "web2.toml"), text(128));
  expect(() => readDefinition(folder.path, "web2", "host-a")).toThrow("defines web1, not web2");
});

test("what is no readable file is told of as such, and never waited for", () => {
  using folder = temporaryFolder();
  const at = (name: string) => join(folder.path, `${name}.toml`);
  execFileSync("mkfifo", [at("pipe")]);
  mkdirSync(at("folder"));
  symlinkSync("/dev/zero", at("endless"));
  symlinkSync(at("circle"), at("circle"));
  symlinkSync("/nowhere/web1.toml", at("lost"));
  writeFileSync(at("huge"), "");
  truncateSync(at("huge"), 2 ** 32);
  const names = ["circle", "endless", "folder", "huge", "lost", "pipe"];
  expect(definedNames(folder.path).sort()).toEqual(names);
  const fault = expect.objectContaining({ code: "SOJ_GUEST_DEFINITION_INVALID" });
  for (const name of names) {
    expect(() => readDefinition(folder.path, name, "host-a"), name).toThrow(fault);
  }
});

test("an editor's hidden files define no guest", () => {
  using folder = temporaryFolder();
  symlinkSync("root@host-a.4711", join(folder.path, ".#web1.toml"));
  writeFileSync(join(folder.path, ".toml"), "");
  expect(definedNames(folder.path)).toEqual([]);
});
