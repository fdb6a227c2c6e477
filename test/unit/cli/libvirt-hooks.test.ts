import { spawnSync } from "node:child_process";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installHook, removeHook } from "../../../src/cli/libvirt-hooks/install.ts";
import { programPath } from "../../../src/cli/libvirt-hooks/program.ts";
import { hookScript, refusalStatus } from "../../../src/cli/libvirt-hooks/script.ts";

let root: string;
let folder: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sojourn-hooks-"));
  folder = join(root, "hooks");
});

afterEach(() => rmSync(root, { recursive: true }));

/** A stand-in for Sojourn that writes what it was called with, and answers. */
function program(body: string): string {
  const path = join(root, "so journ's");
  writeFileSync(path, `#!/bin/sh\necho "$*" >> '${root}/calls'\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

function call(script: string, ...args: string[]) {
  const path = join(root, "hook");
  writeFileSync(path, script, { mode: 0o755 });
  return spawnSync(path, args, { input: "<domain/>", encoding: "utf8" });
}

const calls = () => {
  try {
    return readFileSync(join(root, "calls"), "utf8");
  } catch {
    return "";
  }
};

test("the hook is put beside everybody else's, once, and taken away again", () => {
  const first = hookScript("/opt/sojourn/bin/sojourn", null);
  const path = join(folder, "qemu.d", "sojourn");
  expect(installHook(first, folder)).toMatchObject({
    path,
    done: "installed",
    reload_needed: true,
  });
  expect(installHook(first, folder)).toMatchObject({ done: "unchanged", reload_needed: false });
  const second = hookScript("/usr/bin/sojourn", "/run/other.sock");
  expect(installHook(second, folder)).toMatchObject({ done: "replaced", reload_needed: false });
  expect(readFileSync(path, "utf8")).toBe(second);
  expect(removeHook(folder)).toMatchObject({ done: "removed" });
  expect(removeHook(folder)).toMatchObject({ done: "absent" });
});

test("somebody else's hook of the same name stays", () => {
  const path = join(folder, "qemu.d", "sojourn");
  mkdirSync(join(folder, "qemu.d"), { recursive: true });
  writeFileSync(path, "#!/bin/sh\n");
  expect(() => installHook(hookScript("/x", null), folder)).toThrow(/not Sojourn's/);
  expect(() => removeHook(folder)).toThrow(/not Sojourn's/);
  expect(readFileSync(path, "utf8")).toBe("#!/bin/sh\n");
});

test("a folder that cannot be written is told as such", () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "qemu.d"), "");
  const code = "SOJ_HOOK_FOLDER";
  expect(() => installHook("# x", folder)).toThrow(expect.objectContaining({ code, exitCode: 3 }));
});

test("what libvirt is to call must be a program", () => {
  expect(programPath(undefined)).toMatch(/\/bin\/sojourn$/);
  const path = program("exit 0");
  expect(programPath(path)).toBe(path);
  for (const wrong of ["bin/sojourn", root, join(root, "nothing")]) {
    expect(() => programPath(wrong)).toThrow("no absolute path of a program");
  }
});

test("nothing is written through a link that somebody else has put there, and a refusal of the system is told", () => {
  mkdirSync(folder, { recursive: true });
  const victim = join(root, "victim");
  writeFileSync(victim, "precious");
  symlinkSync(victim, join(folder, ".sojourn.new"));
  const path = join(folder, "qemu.d", "sojourn");
  expect(installHook(hookScript("/x", null), folder)).toMatchObject({ done: "installed" });
  expect(readFileSync(victim, "utf8")).toBe("precious");
  expect(lstatSync(path).mode & 0o777).toBe(0o755);
  mkdirSync(join(folder, ".sojourn.new"));
  expect(() => installHook(hookScript("/y", null), folder)).toThrow(
    expect.objectContaining({ code: "SOJ_HOOK_FOLDER" }),
  );
});

test("where another hook is, libvirt looks for ours without being told", () => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "qemu"), "#!/bin/sh\n", { mode: 0o755 });
  expect(installHook(hookScript("/x", null), folder)).toMatchObject({ reload_needed: false });
});

test("Sojourn is asked before an arrival and before a start, and for nothing else", () => {
  const script = hookScript(program("cat"), null);
  for (const [operation, step] of [
    ["started", "begin"],
    ["stopped", "end"],
    ["release", "end"],
    ["reconnect", "begin"],
    ["migrate", "end"],
  ]) {
    expect(call(script, "web1", operation as string, step as string, "-")).toMatchObject({
      status: 0,
      stdout: "",
    });
  }
  expect(calls()).toBe("");
  expect(call(script, "web1", "migrate", "begin", "-")).toMatchObject({ stdout: "<domain/>\n" });
  call(script, "web1", "prepare", "begin", "-");
  // libvirt takes such a name, which is no option of ours.
  call(script, "--help", "prepare", "begin", "-");
  expect(calls()).toBe(
    "libvirt hook -- migrate web1\nlibvirt hook -- prepare web1\nlibvirt hook -- prepare --help\n",
  );
});

test("only a refusal stops libvirt; a Sojourn that fails or is gone does not", () => {
  const ask = (body: string) =>
    call(hookScript(program(body), null), "web1", "migrate", "begin", "-");
  expect(ask(`echo no >&2; exit ${refusalStatus}`)).toMatchObject({ status: 1, stderr: "no\n" });
  expect(ask("echo half; exit 1")).toMatchObject({ status: 0, stdout: "" });
  expect(ask("echo half; kill -9 $$")).toMatchObject({ status: 0, stdout: "" });
  const gone = hookScript(join(root, "nothing"), null);
  expect(call(gone, "web1", "prepare", "begin", "-")).toMatchObject({ status: 0, stdout: "" });
});
