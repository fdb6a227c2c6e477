/**
 * What a guest keeps of a limited link while another guest of its host moves over it: without a guest share and with one, in
 * turn, so that a busy minute hits both alike.
 * usage: guest-share.ts [--runs N] [--link-mbps N] [--share PERCENT] [--memory MiB] [--json]; see scripts/guest-share.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { medianOf } from "../../src/bench/statistics.ts";
import { measureShare, type ShareFigures, setCapacity } from "./guest-share-move.ts";
import { inLab, type MovingLab, migrate, print } from "./lab-moves.ts";
import { numberOf } from "./number-option.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    "link-mbps": { type: "string", default: "200" },
    share: { type: "string", default: "50" },
    memory: { type: "string", default: "256" },
    json: { type: "boolean", default: false },
  },
});
const runs = numberOf("guest-share", "runs", options.runs, 10_000);
const linkMbps = numberOf("guest-share", "link-mbps", options["link-mbps"], 100_000);
const sharePercent = numberOf("guest-share", "share", options.share, 95);
const memoryMib = numberOf("guest-share", "memory", options.memory, 65_536);

const modes = [
  { name: "unshaped", percent: 0 },
  { name: "shaped", percent: sharePercent },
] as const;

const columns = [
  ...["before_mbps", "during_mbps", "kept_of_before", "kept_of_share"],
  ...["longest_wait_ms", "total_s", "blackout_ms"],
] as const satisfies (keyof ShareFigures)[];

const overlay = overlayThatFills(Math.floor(memoryMib * 0.4));
try {
  await inLab("guest-share", "guest-share", measure, {
    ...{ hosts: 2, guests: 2, linkMbps, memoryMib, image: { overlay } },
  });
} finally {
  rmSync(overlay, { recursive: true });
}

async function measure(lab: MovingLab): Promise<void> {
  for (const host of ["host-a", "host-b"]) await setCapacity(lab.name, host, linkMbps);
  const all = modes.map((mode) => ({ mode, figures: [] as ShareFigures[] }));
  if (!options.json) print(["", ...columns].map(cell).join(""));
  for (let run = 1; run <= runs; run += 1) {
    for (const { mode, figures } of all) {
      const one = await measureShare(lab, { linkMbps, sharePercent, percent: mode.percent });
      figures.push(one);
      if (options.json) print(JSON.stringify({ type: "run", run, mode: mode.name, ...one }));
      else print(row(mode.name, one));
      // Home again, which nobody measures.
      await migrate(lab, "host-b", "host-a", ["--guest-share", "0", "--no-probe"]);
    }
  }
  const [unshaped, shaped] = all.map(({ mode, figures }) => {
    const medians = mediansOf(figures);
    if (options.json) print(JSON.stringify({ type: "medians", runs, mode: mode.name, ...medians }));
    else print(row(`${mode.name}, median`, medians));
    return medians;
  });
  const ratio = (shaped?.during_mbps ?? 0) / (unshaped?.during_mbps ?? Number.NaN);
  if (options.json) print(JSON.stringify({ type: "ratio", shaped_to_unshaped: ratio }));
  else print(`The other guest has ${ratio.toFixed(2)} times the throughput with a guest share.`);
}

/** Files of a guest that has so much memory in use: pages of zeros take no time to send. */
function overlayThatFills(mib: number): string {
  const folder = mkdtempSync(join(tmpdir(), "guest-share-"));
  mkdirSync(join(folder, "etc"));
  const fill = `mount -o remount,size=90% /dev/shm && head -c ${mib}M /dev/urandom >/dev/shm/fill`;
  writeFileSync(join(folder, "etc", "rc.local"), `#!/bin/sh\n${fill}\n`, { mode: 0o755 });
  return folder;
}

function mediansOf(figures: readonly ShareFigures[]): ShareFigures {
  const median = (name: (typeof columns)[number]) =>
    medianOf(figures.map((one) => one[name])) ?? Number.NaN;
  const entries = columns.map((name) => [name, median(name)]);
  return Object.fromEntries(entries) as unknown as ShareFigures;
}

function row(name: string, figures: ShareFigures): string {
  return [name, ...columns.map((column) => figures[column].toFixed(2))].map(cell).join("");
}

function cell(value: string, index: number): string {
  return index === 0 ? value.padEnd(18) : value.padStart(17);
}
