import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";
import { nodePath } from "../support/namespaces.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";

/** Key of the gate's questions: 24 bytes. */
const gateSecret = "whsec_c29qb3Vybi1nYXRlLXRlc3Qtc2VjcmV0";
const programs = fileURLToPath(new URL("../support/programs", import.meta.url));

let lab: TestLab;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "sojourn-orchestrator-"));
  lab = await TestLab.up(`orchestrator${process.pid}`, ["--hosts", "2"]);
  const etc = `/run/sojourn-lab/${lab.name}/nodes/host-a/etc`;
  for (const path of [join(etc, "gate.secret"), join(folder, "gate.secret")]) {
    writeFileSync(path, gateSecret, { mode: 0o600 });
  }
  await lab.configure("host-a", configuration);
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("a script with nothing but curl asks, follows across a cut, is told while it was away, and denies", async () => {
  await using session = await openSession(lab);
  const receiver = [nodePath, join(programs, "inbox.ts")];
  const command = ["web1", "host-b", folder, ...receiver];
  const script = await lab.exec("host-a", [join(programs, "orchestrator.sh"), ...command]);
  expect(script, script.stderr).toMatchObject({ exitCode: 0 });
  console.log(script.stdout);
  await moreEchoes(session, 20);
  expect(session.isRunning()).toBe(true);

  const [denied, moved] = ["denied", "moved"].map((name) =>
    readFileSync(join(folder, `${name}.id`), "utf8").trim(),
  );
  expect(denied).not.toBe(moved);
  const report = JSON.parse(await lab.run("host-a", ["sojourn", "report", denied ?? "", "--json"]));
  expect(report).toMatchObject({ outcome: "rolled-back", blackout_ms: null });
});

const configuration = `[hooks]
allow_targets = ["127.0.0.1"]
[[gates]]
name = "board"
points = ["planned", "prepared", "armed"]
url = "http://127.0.0.1:8098/"
secret_file = "/etc/sojourn/gate.secret"`;
