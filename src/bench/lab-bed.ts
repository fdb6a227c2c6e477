import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readRecord } from "../lab/files.ts";
import { findGuest, firstHost, guestName } from "../lab/guests.ts";
import { downLab, labNodePrefix, nodesOfLab, upLab } from "../lab/index.ts";
import { labPaths } from "../lab/layout.ts";
import type { LabRecord } from "../lab/nodes.ts";
import { hasCode, preconditionError, usageError } from "../platform/errors.ts";
import type { Logger } from "../platform/log.ts";
import { readToml } from "../platform/toml.ts";
import type { Bed } from "./bed.ts";
import { blackoutLimits } from "./blackout-limits.ts";
import type { BlackoutLimit } from "./migrate-lines.ts";
import { MoveRunner, scriptDelayMs } from "./move-runner.ts";
import type { BenchPlan } from "./options.ts";
import { type Cell, type CellGuest, sameGuest } from "./records.ts";
import { controls, type Runner } from "./run.ts";
import { Writer } from "./writer.ts";

export interface LabBedOptions {
  lab: string;
  plan: BenchPlan;
  wanted: CellGuest;
  logger: Logger;
  signal: AbortSignal;
  say: (message: string) => void;
}

const hosts = [firstHost, "host-b"] as const;
const name = guestName(1);

/**
 * A bed in the lab: one that is up is used as it is and left up, otherwise one is built for this guest and removed
 * at the end, also after a failure.
 * @throws SojournError as `upLab`, `SOJ_USAGE` when a lab that is up has another guest than is wanted, or other links,
 *   `SOJ_LAB_NODE_UNKNOWN` when it has a single host.
 */
export async function openLabBed(options: LabBedOptions): Promise<Bed> {
  await using opening = new AsyncDisposableStack();
  const standing = isUp(options.lab);
  const guest = standing ? standingGuest(options) : options.wanted;
  if (!standing) {
    opening.defer(() => removeLab(options));
    await buildLab(options);
  }
  const writer = new Writer(options.lab);
  const limitOf = await blackoutLimits(configPath(options.lab));
  let control: Promise<Runner> | null = null;
  opening.defer(async () => (await control?.catch(() => null))?.[Symbol.asyncDispose]());
  const isControl = (strategy: string) => controls.some((one) => one === strategy);
  const before = standing ? await placeOf(options.lab) : null;
  const resources = opening.move();
  return {
    guest,
    runnerOf: (strategy, cell) => {
      if (!isControl(strategy)) return Promise.resolve(moveRunner(options, cell, limitOf));
      control ??= controlRunner(options, guest).catch((error) => {
        control = null;
        throw error;
      });
      return control;
    },
    newlyCorruptPages: async () =>
      guest.dirty_mbytes_per_second === null ? null : writer.newlyCorruptPages(),
    restore: async (signal) => {
      const cell = { ...guest, tunnel: "auto" };
      if (before !== null) await moveRunner(options, cell, limitOf).moveTo(before, signal);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Where links are not limited, a larger part would make no difference that two processors could show. */
const mostMibUnlimited = 32;

/**
 * Words for the guest's kernel that make it write a quarter of its memory at a rate, again and again. With a limited
 * link that is the whole quarter, so that what there is to send grows with the guest.
 */
export function dirtyingAppend(guest: CellGuest): string {
  const { memory_mib, dirty_mbytes_per_second, link_mbps } = guest;
  if (dirty_mbytes_per_second === null) return "";
  const quarter = Math.floor(memory_mib / 4);
  const memcheck = link_mbps === undefined ? Math.min(mostMibUnlimited, quarter) : quarter;
  return `sojourn.memcheck=${memcheck} sojourn.dirty_mbps=${dirty_mbytes_per_second * 8}`;
}

async function buildLab({ lab, wanted, signal, say }: LabBedOptions): Promise<void> {
  await upLab({
    lab,
    hosts: hosts.length,
    memoryMib: wanted.memory_mib,
    guestAppend: dirtyingAppend(wanted),
    linkMbps: wanted.link_mbps,
    signal,
    onProgress: (_step, message) => say(`lab: ${message}`),
  });
}

async function removeLab({ lab, say }: LabBedOptions): Promise<void> {
  say("lab: removing it");
  await downLab(lab);
}

function moveRunner({ lab, plan }: LabBedOptions, cell: Cell, limitOf: BlackoutLimit): MoveRunner {
  return new MoveRunner({
    commandLine: [...labNodePrefix(lab, firstHost), "sojourn"],
    guest: name,
    hosts,
    probeNode: "client",
    ...{ cell, limitOf, timeoutS: plan.timeoutS },
    scriptDelayMs: scriptDelayMs(cell.memory_mib, plan.scriptBandwidthMbps),
    locate: () => placeOf(lab),
  });
}

async function controlRunner(options: LabBedOptions, guest: CellGuest): Promise<Runner> {
  const { createControlRunner } = await import("./controls/index.ts");
  const { lab, logger, signal } = options;
  const append = dirtyingAppend(guest);
  const [from, to] = hosts;
  const { memory_mib: memoryMib } = guest;
  return createControlRunner({ lab, from, to, memoryMib, append, logger, signal });
}

async function placeOf(lab: string): Promise<string | null> {
  return (await findGuest(lab, firstHost, name))?.host ?? null;
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
function standingGuest({ lab, plan, wanted }: LabBedOptions): CellGuest {
  const path = join(labPaths(lab).node(firstHost).etc, "guests", `${name}.toml`);
  const read = readToml(definitionSchema, readFileSync(path, "utf8"), path, "SOJ_BENCH_GUEST");
  const mbps = Number(/(?:^| )sojourn\.dirty_mbps=(\d{1,9})(?: |$)/.exec(read.append)?.[1] ?? 0);
  const { linkMbps } = readRecord<LabRecord>(labPaths(lab).record) ?? {};
  const actual: CellGuest = {
    memory_mib: read.memory_mib,
    dirty_mbytes_per_second: mbps === 0 ? null : mbps / 8,
    ...(linkMbps === undefined ? {} : { link_mbps: linkMbps }),
  };
  const asked: CellGuest = {
    ...actual,
    ...(plan.memoryMib === null ? {} : { memory_mib: wanted.memory_mib }),
    ...(plan.dirtyMbytesPerSecond === null
      ? {}
      : { dirty_mbytes_per_second: wanted.dirty_mbytes_per_second }),
    ...(plan.linkMbps === null ? {} : { link_mbps: plan.linkMbps }),
  };
  if (sameGuest(asked, actual)) return actual;
  const links = linkMbps === undefined ? "" : `; its links take ${linkMbps} Mbit/s`;
  throw usageError(
    `the guest of the lab ${lab} has ${actual.memory_mib} MiB and is made to write ${mbps / 8} MB/s${links}`,
    "leave --memory, --dirty and --link-mbps out to use it as it is, or --lab to measure in a lab of its own",
  );
}

function configPath(lab: string): string {
  return join(labPaths(lab).node(firstHost).etc, "sojourn.toml");
}
