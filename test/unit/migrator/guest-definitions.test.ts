import { renameSync, writeFileSync } from "node:fs";
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
