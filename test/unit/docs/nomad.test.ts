import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../support/doc-blocks.ts";
import { type HclBody, parseHcl } from "../../support/hcl.ts";

const read = (path: string) => readFileSync(join(root, path), "utf8");

test("nomad.hcl runs the script with what it reads", () => {
  const job = part(parseHcl(read("deploy/examples/nomad.hcl")), "job.move-guest");
  expect(job).toMatchObject({ type: "batch", parameterized: { meta_required: ["guest", "to"] } });
  const task = part(part(job, "group.move"), "task.migrate");
  const { command, args } = part(task, "config");
  const script = `${command}`.replace("/opt/sojourn/", "");
  expect(statSync(join(root, script)).mode & 0o111).toBe(0o111);
  expect(args).toEqual(["NOMAD_META_guest", "NOMAD_META_to", "NOMAD_ALLOC_ID"].map(variable));
  const env = part(task, "env");
  const readBy = new Set(read(script).match(/SOJOURN_[A-Z_]+/g));
  for (const name of Object.keys(env)) expect(readBy).toContain(name);
  const { destination } = part(task, "template");
  expect(env.SOJOURN_TOKEN_FILE).toBe(
    `${destination}`.replace(/^secrets/, variable("NOMAD_SECRETS_DIR")),
  );
});

test("HCL that is not right is refused", () => {
  for (const text of [
    "a = ",
    "a {",
    "a = [1",
    "a = 1 b = 2",
    "a = 1\na = 2",
    "}",
    'a "b" = 1',
    "?",
  ]) {
    expect(() => parseHcl(text), text).toThrow(/^line \d+: /);
  }
  expect(parseHcl('# c\na "b" {\n  c = [1, "d", true,]\n}\n')).toEqual({
    "a.b": { c: [1, "d", true] },
  });
});

function part(body: HclBody, name: string): HclBody {
  const found = body[name];
  if (typeof found !== "object" || Array.isArray(found)) throw new Error(`no block ${name}`);
  return found;
}

/** Nomad's way to write a variable. */
function variable(name: string): string {
  return `$\{${name}}`;
}
