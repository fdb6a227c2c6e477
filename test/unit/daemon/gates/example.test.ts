import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gatesSection } from "../../../../src/daemon/gates/config.ts";
import { openGates } from "../../../../src/daemon/gates/open-gates.ts";
import { TargetPolicy } from "../../../../src/daemon/hooks/targets.ts";
import type { GateNote } from "../../../../src/migrator/gates.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { question } from "./support.ts";

const program = fileURLToPath(
  new URL("../../../../deploy/gates/change-window.mjs", import.meta.url),
);
let folder: string;
let secret: string;
let stack: DisposableStack;

beforeEach(() => {
  stack = new DisposableStack();
  folder = mkdtempSync(join(tmpdir(), "sojourn-window-"));
  secret = join(folder, "secret");
  writeFileSync(secret, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", { mode: 0o600 });
});

afterEach(() => {
  stack.dispose();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts the example; its URL. */
async function start(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [program, secret, "--port", "0", ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  stack.defer(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value } = await lines.next();
  return /http:\S+/.exec(value ?? "")?.[0] ?? "";
}

/** What a gate at `url` decides. */
async function asked(
  url: string,
  secret_file = secret,
  hear: (note: GateNote) => void = () => {},
): Promise<GateNote[]> {
  const section = { name: "window", points: ["armed"], url, secret_file, deadline_ms: 8_000 };
  const policy = new TargetPolicy(["127.0.0.1"]);
  const gates = openGates(gatesSection.parse([section]), {
    policy,
    logger: createLogger("silent"),
  });
  const told: GateNote[] = [];
  const signal = new AbortController().signal;
  const tell = (note: GateNote) => {
    told.push(note);
    hear(note);
  };
  await gates.ask(question, signal, tell).catch(() => {});
  return told;
}

test("the example allows moves in its window, and denies them outside", async () => {
  const open = await asked(await start("--from", "0", "--until", "24"));
  expect(open.at(-1)).toMatchObject({ decision: "allow", answered: true });
  const shut = await asked(await start("--from", "0", "--until", "0"));
  expect(shut.at(-1)).toMatchObject({ decision: "deny", answered: true });
  expect(shut.at(-1)?.reason).toMatch(/^web1 moves from 0 to 0 o'clock/);
});

test("the example delays while its file exists, and answers nobody without its secret", async () => {
  const hold = join(folder, "hold");
  writeFileSync(hold, "");
  const url = await start("--from", "0", "--until", "24", "--hold", hold);
  const told = await asked(url, secret, ({ decision }) => {
    if (decision === "delay") rmSync(hold);
  });
  expect(told.map(({ decision }) => decision)).toEqual(["asked", "delay", "allow"]);
  const other = join(folder, "other");
  writeFileSync(other, "another secret of enough bytes", { mode: 0o600 });
  const refused = await asked(url, other);
  expect(refused.at(-1)?.reason).toMatch(/answered 401/);
});
