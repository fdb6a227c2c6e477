import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { findGuest, firstHost, guestName } from "../lab/guests.ts";
import { downLab, labNodePrefix, nodesOfLab, upLab } from "../lab/index.ts";
import { labPaths } from "../lab/layout.ts";
import { hasCode, preconditionError, usageError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import { readToml } from "../platform/toml.ts";
import type { Bed } from "./bed.ts";
import { MoveRunner, scriptDelayMs } from "./move-runner.ts";
import type { BenchPlan } from "./options.ts";
import type { Cell } from "./records.ts";
import { controls, type Runner } from "./run.ts";

export interface LabBedOptions {
  lab: string;
  plan: BenchPlan;
  cell: Cell;
  logger: Logger;
  signal: AbortSignal;
  say: (message: string) => void;
}

const hosts = [firstHost, "host-b"] as const;
const guest = guestName(1);

/**
 * A bed in the lab: one that is up is used as it is and left up, otherwise one is built for this cell and removed
 * at the end, also after a failure.
 * @throws SojournError as `upLab`, `SOJ_USAGE` when a lab that is up has another guest than the cell,
 *   `SOJ_LAB_NODE_UNKNOWN` when it has a single host.
 */
export async function openLabBed(options: LabBedOptions): Promise<Bed> {
  await using opening = new AsyncDisposableStack();
  const standing = isUp(options.lab);
  const cell = standing ? standingCell(options) : options.cell;
  if (!standing) {
    opening.defer(() => removeLab(options));
    await buildLab(options);
  }
  const moves = moveRunner(options, cell);
  let control: Promise<Runner> | null = null;
  opening.defer(async () => (await control?.catch(() => null))?.[Symbol.asyncDispose]());
  const isControl = (strategy: string) => controls.some((one) => one === strategy);
  const before = standing ? await placeOf(options.lab) : null;
  const resources = opening.move();
  return {
    cell,
    runnerOf: (strategy) => {
      if (!isControl(strategy)) return Promise.resolve(moves);
      control ??= controlRunner(options, cell).catch((error) => {
        control = null;
        throw error;
      });
      return control;
    },
    restore: async (signal) => {
      if (before !== null) await moves.moveTo(before, signal);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Words for the guest's kernel that make it write memory at a rate; MiB of it at most a quarter of what it has. */
export function dirtyingAppend({ memory_mib, dirty_mbytes_per_second }: Cell): string {
  if (dirty_mbytes_per_second === null) return "";
  const memcheck = Math.min(32, Math.floor(memory_mib / 4));
  return `sojourn.memcheck=${memcheck} sojourn.dirty_mbps=${dirty_mbytes_per_second * 8}`;
}

async function buildLab({ lab, cell, signal, say }: LabBedOptions): Promise<void> {
  await upLab({
    lab,
    hosts: hosts.length,
    memoryMib: cell.memory_mib,
    guestAppend: dirtyingAppend(cell),
    signal,
    onProgress: (_step, message) => say(`lab: ${message}`),
  });
}

async function removeLab({ lab, say }: LabBedOptions): Promise<void> {
  say("lab: removing it");
  await downLab(lab);
}

function moveRunner({ lab, plan }: LabBedOptions, cell: Cell): MoveRunner {
  return new MoveRunner({
    commandLine: [...labNodePrefix(lab, firstHost), "sojourn"],
    guest,
    hosts,
    probeNode: "client",
    tunnel: cell.tunnel,
    scriptDelayMs: scriptDelayMs(cell.memory_mib, plan.scriptBandwidthMbps),
    locate: () => placeOf(lab),
  });
}

async function controlRunner(options: LabBedOptions, cell: Cell): Promise<Runner> {
  const { createControlRunner } = await import("./controls/index.ts");
  const { lab, logger, signal } = options;
  const append = dirtyingAppend(cell);
  const [from, to] = hosts;
  return createControlRunner({ lab, from, to, memoryMib: cell.memory_mib, append, logger, signal });
}

async function placeOf(lab: string): Promise<string | null> {
  return (await findGuest(lab, firstHost, guest))?.host ?? null;
}

function isUp(lab: string): boolean {
  try {
    const nodes = nodesOfLab(lab);
    if (hosts.every((host) => nodes.includes(host))) return true;
    throw preconditionError("SOJ_LAB_NODE_UNKNOWN", `the lab ${lab} has no second host`, {
      hint: `sojourn lab up --lab ${lab} --hosts 2`,
    });
  } catch (error) {
    if (hasCode(error, "SOJ_LAB_NOT_UP")) return false;
    throw error;
  }
}

const definitionSchema = z.object({ memory_mib: z.int().positive(), append: z.string() });

/** What the guest of a lab that is up was started with. @throws SojournError `SOJ_USAGE` when that is not what is asked for. */
function standingCell({ lab, plan, cell }: LabBedOptions): Cell {
  const path = join(labPaths(lab).node(firstHost).etc, "guests", `${guest}.toml`);
  const read = readToml(definitionSchema, readFileSync(path, "utf8"), path, "SOJ_BENCH_GUEST");
  const mbps = Number(/(?:^| )sojourn\.dirty_mbps=(\d{1,9})(?: |$)/.exec(read.append)?.[1] ?? 0);
  const actual: Cell = {
    memory_mib: read.memory_mib,
    dirty_mbytes_per_second: mbps === 0 ? null : mbps / 8,
    tunnel: cell.tunnel,
  };
  const differs =
    (plan.memoryMib !== null && cell.memory_mib !== actual.memory_mib) ||
    (plan.dirtyMbytesPerSecond !== null &&
      cell.dirty_mbytes_per_second !== actual.dirty_mbytes_per_second);
  if (!differs) return actual;
  throw usageError(
    `the guest of the lab ${lab} has ${actual.memory_mib} MiB and is made to write ${mbps / 8} MB/s`,
    "leave --memory and --dirty out to use it as it is, or --lab to measure in a lab of its own",
  );
}
