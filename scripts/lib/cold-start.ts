/**
 * A guest under TCG answers its first request late after a migration, because the new process has to translate all
 * code again. Measures that beside a pause of the same process; see scripts/cold-start.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { medianOf } from "../../src/bench/statistics.ts";
import { EmulatedGuest } from "./emulated-guest.ts";
import { numberOf } from "./number-option.ts";

const pauseMs = 20;
const echoes = 200;

interface Figures {
  /** From the guest's resumption to the first echoed byte of a new session. */
  first_answer_ms: number;
  /** CPU time of the guest's virtual CPU in that time. */
  vcpu_ms: number;
  /** Blocks of guest code translated in that time, and their code. */
  translated_blocks: number;
  translated_kib: number;
}

const { values: options } = parseArgs({
  options: { runs: { type: "string", default: "10" }, json: { type: "boolean", default: false } },
});
const runs = numberOf("cold-start", "runs", options.runs, 1_000);
const interruption = new AbortController();
const { signal } = interruption;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => interruption.abort());

const folder = mkdtempSync(join(tmpdir(), "sojourn-cold-"));
try {
  await measure();
} catch (error) {
  process.stderr.write(`cold-start: ${signal.aborted ? "interrupted" : error}\n`);
  process.exitCode = signal.aborted ? 6 : 1;
} finally {
  EmulatedGuest.killAll();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(): Promise<void> {
  const paused: Figures[] = [];
  const moved: Figures[] = [];
  let guest = await EmulatedGuest.start(folder, "0", false);
  await guest.monitor.execute("cont");
  await firstAnswer(guest, 60_000);
  for (let run = 1; run <= runs; run++) {
    signal.throwIfAborted();
    for (let echo = 0; echo < echoes; echo++) await firstAnswer(guest, 10_000);
    await guest.monitor.execute("stop");
    await delay(pauseMs);
    paused.push(await resumed(guest));
    const next = await EmulatedGuest.start(folder, String(run), true);
    await move(guest, next);
    moved.push(await resumed(next));
    await guest.end();
    guest = next;
    process.stderr.write(`cold-start: run ${run} of ${runs}\n`);
  }
  const table = { paused: mediansOf(paused), moved: mediansOf(moved) };
  if (options.json) process.stdout.write(`${JSON.stringify({ runs, ...table })}\n`);
  else console.table(table);
}

/** Continues a stopped guest and measures its first answer. */
async function resumed(guest: EmulatedGuest): Promise<Figures> {
  const before = await guest.translated();
  const vcpuBefore = await guest.vcpuMs();
  const begin = performance.now();
  await guest.monitor.execute("cont");
  await firstAnswer(guest, 10_000);
  const first = performance.now() - begin;
  const vcpu = (await guest.vcpuMs()) - vcpuBefore;
  const after = await guest.translated();
  return {
    first_answer_ms: first,
    vcpu_ms: vcpu,
    translated_blocks: after.blocks - before.blocks,
    translated_kib: (after.bytes - before.bytes) / 1024,
  };
}

async function move(from: EmulatedGuest, to: EmulatedGuest): Promise<void> {
  const ended = new Promise<string>((resolve) => {
    from.onStatus = (status) => ["completed", "failed"].includes(status) && resolve(status);
  });
  await from.monitor.execute("migrate-set-parameters", { "max-bandwidth": 0 });
  await from.monitor.execute("migrate", { uri: to.streamUri });
  if ((await ended) !== "completed") throw new Error("the migration failed");
}

/** A new session's first echo. Sessions through QEMU's own user network end with their process. */
async function firstAnswer(guest: EmulatedGuest, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const socket = createConnection({ host: "127.0.0.1", port: guest.port, noDelay: true });
    const answered = await new Promise<boolean>((resolve) => {
      socket.setTimeout(timeoutMs, () => resolve(false));
      socket.on("connect", () => socket.write("x"));
      socket.on("data", () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.on("close", () => resolve(false));
    });
    socket.resetAndDestroy();
    if (answered) return;
    if (performance.now() > deadline) throw new Error("the guest does not answer");
    await delay(50);
  }
}

function mediansOf(figures: readonly Figures[]): Figures {
  const median = (name: keyof Figures) =>
    Math.round((medianOf(figures.map((one) => one[name])) ?? 0) * 10) / 10;
  return {
    first_answer_ms: median("first_answer_ms"),
    vcpu_ms: median("vcpu_ms"),
    translated_blocks: median("translated_blocks"),
    translated_kib: median("translated_kib"),
  };
}
