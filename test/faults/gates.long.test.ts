import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FaultLab } from "./support/fault-lab.ts";
import { recordEachFault } from "./support/record-faults.ts";
import { ScriptedGate } from "./support/scripted-gate.ts";

/** Two silent gates at host-a, a program and one over HTTP: their daemon dies while it asks them. */
let fault: FaultLab;
let folder: string;
const gate = new ScriptedGate();
const port = 7799;

recordEachFault(() => fault);

beforeAll(async () => {
  fault = await FaultLab.up("fault-gates-crash");
  folder = await mkdtemp(join(tmpdir(), "sojourn-silent-"));
  const secret = join(folder, "secret");
  writeFileSync(secret, `whsec_${Buffer.alloc(32, 7).toString("base64")}\n`, { mode: 0o600 });
  const overHttp = [
    ...["[[gates]]", 'name = "desk"', 'points = ["armed"]', `secret_file = "${secret}"`],
    ...[`url = "http://127.0.0.1:${port}/"`, "deadline_ms = 20000"],
    ...["[hooks]", 'allow_targets = ["127.0.0.1"]'],
  ].join("\n");
  await fault.lab.configure("host-a", `${gate.toml}\n${overHttp}`);
  await fault.remember();
  await fault.openSession();
});

afterAll(async () => {
  await fault?.[Symbol.asyncDispose]();
  gate[Symbol.dispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("[rows 2] the source's daemon is killed while gates are asked at armed: the questions end with it, the guest is not touched", async () => {
  const before = fault.qemuOn("host-a");
  const program = join(import.meta.dirname, "support", "programs", "silent-gate.ts");
  const server = fault.spawn("host-a", [process.execPath, program, String(port)], "pipe");
  const said = linesOf(server);
  await until(() => said.includes("ready"), "the gate listens");
  try {
    gate.fallSilent("armed");
    const migration = fault.migrate("host-a", "host-b");
    const { id = "" } = await migration.event(
      (line) => line.type === "gate" && line.point === "armed",
    );
    const asked = () => fault.processesWith("host-a", gate.program);
    await until(() => asked().length > 0 && said.includes("asked"), "both gates are asked");
    await fault.kill("host-a");
    await until(() => asked().length === 0, "no process of the gate is left");
    await until(() => said.includes("gone"), "the question over HTTP has ended");
    expect(fault.qemuOn("host-a")).toBe(before);
    await fault.restart("host-a");
    await fault.recovered("host-a");
    await migration.ended.catch(() => {});
    const { exitCode, last } = await fault.watch("host-a", id).ended;
    expect({ exitCode, last }).toMatchObject({
      exitCode: 4,
      last: { code: "SOJ_DAEMON_RESTARTED", guest_state: "running-at-source" },
    });
    // Nobody is asked a second time about what is taken back, and nothing of it was begun.
    expect(said.filter((line) => line === "asked")).toHaveLength(1);
    expect(asked()).toEqual([]);
    const steps = await fault.journaled("host-a", id);
    expect(steps).not.toContain("pausing");
    expect(steps).not.toContain("promise");
    expect(fault.qemuOn("host-a")).toBe(before);
    gate.allowAll();
    await fault.expectHomeAndClean();
  } finally {
    server.stdin?.end();
  }
});

/** What it prints, as it comes. */
function linesOf({ stdout }: ChildProcess): readonly string[] {
  const lines: string[] = [];
  if (stdout !== null) createInterface({ input: stdout }).on("line", (line) => lines.push(line));
  return lines;
}

async function until(holds: () => boolean, what: string): Promise<void> {
  await expect.poll(holds, { timeout: 10_000, interval: 50, message: what }).toBe(true);
}
