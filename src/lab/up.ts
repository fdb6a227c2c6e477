import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { usageError } from "../platform/errors.ts";
import { findDaemon, restartDaemon, startDaemon } from "./daemon-process.ts";
import { readRecord, writeFileAtomically } from "./files.ts";
import { enterMachine } from "./footprint.ts";
import { type GuestImageOptions, guestFiles, guestImage, overlayEntries } from "./guest-image.ts";
import {
  findGuest,
  firstHost,
  guestAddress,
  guestName,
  maxGuests,
  startGuest,
  waitForGuest,
  writeGuestDefinition,
} from "./guests.ts";
import { ensureHolder } from "./holder.ts";
import { writeHostFiles } from "./host-files.ts";
import { checkLabName, hostNames, installationRoot, labPaths, nodeNames } from "./layout.ts";
import { lockLab } from "./lock.ts";
import { ensureNamespace, refuseForeignNamespaces } from "./namespaces.ts";
import { ensureNetwork } from "./network.ts";
import type { LabRecord } from "./nodes.ts";
import { refuseUnlessOutside } from "./requirements.ts";

export interface UpOptions {
  lab: string;
  /** Default 3, or what the lab has; a lab that is up only grows. */
  hosts?: number | undefined;
  /** Default 1. */
  guests?: number | undefined;
  memoryMib?: number | undefined;
  guestAppend?: string | undefined;
  image?: GuestImageOptions | undefined;
  /** Program behind the name `sojourn` in the nodes; by default this installation's. */
  program?: string | undefined;
  /** False builds nodes and network only. */
  daemons?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((step: string, message: string) => void) | undefined;
}

export interface LabSummary {
  lab: string;
  nodes: string[];
  guests: { name: string; address: string; host: string }[];
}

/**
 * Builds the lab, or repairs and extends one that is there; what stands is left alone.
 * @throws SojournError `SOJ_NOT_ROOT`, `SOJ_USAGE`, `SOJ_LAB_…`; what was built until then stays for the next
 * `up` or `down`.
 */
export async function upLab(options: UpOptions): Promise<LabSummary> {
  const lab = checkLabName(options.lab);
  const request = checkRequest(lab, options);
  refuseUnlessOutside();
  await using _lock = await lockLab(lab);
  const say = (step: string, message: string) => {
    options.signal?.throwIfAborted();
    options.onProgress?.(step, message);
  };
  const nodes = nodeNames(request.hosts);

  say("nodes", `${nodes.join(", ")}: namespaces, links, addresses`);
  await buildNodes(lab, request.hosts, options.program);
  if (options.daemons === false) return { lab, nodes, guests: [] };

  say("daemons", `${hostNames(request.hosts).join(", ")}: certificates, configuration, daemons`);
  await runDaemons(lab, request.hosts);

  const guests: LabSummary["guests"] = [];
  const image = request.guests > 0 ? await guestImage(lab, options.image ?? {}) : null;
  for (let number = 1; image !== null && number <= request.guests; number++) {
    const [name, address] = [guestName(number), guestAddress(number)];
    writeGuestDefinition(lab, number, image, request);
    const guest = await findGuest(lab, firstHost, name);
    if (guest === null || guest.state === "stopped") {
      say("guests", `${name} (${address}): booting on ${firstHost}`);
      await startGuest(lab, name);
    }
    // A guest that its user has paused would not answer.
    if (guest?.state !== "paused") {
      await waitForGuest(lab, number, options.signal);
      say("guests", `${name} (${address}) answers the client`);
    }
    guests.push({ name, address, host: guest?.host ?? firstHost });
  }
  return { lab, nodes, guests };
}

interface Request {
  hosts: number;
  guests: number;
  memoryMib: number;
  append: string;
}

/** Everything that can be wrong with the wish is found before anything is built. */
function checkRequest(lab: string, options: UpOptions): Request {
  const standing = readRecord<LabRecord>(labPaths(lab).record)?.hosts ?? 0;
  const hosts = Math.max(options.hosts ?? (standing || 3), standing);
  hostNames(options.hosts ?? hosts);
  const guests = inRange("guests", options.guests ?? 1, 0, maxGuests);
  const memoryMib = inRange("MiB of guest memory", options.memoryMib ?? 128, 64, 65_536);
  const append = options.guestAppend ?? "";
  if (append.length > 1000 || /\p{Cc}/u.test(append)) {
    throw usageError("the guest's kernel arguments are one line of at most 1000 characters");
  }
  if (guests > 0 && options.daemons !== false) guestFiles(options.image ?? {});
  if (options.image?.overlay !== undefined) overlayEntries(options.image.overlay);
  return { hosts, guests, memoryMib, append };
}

async function buildNodes(lab: string, hosts: number, program?: string): Promise<void> {
  const paths = labPaths(lab);
  const isNew = readRecord<LabRecord>(paths.record) === null;
  if (isNew) await refuseForeignNamespaces(lab);
  await enterMachine(lab);
  writeFileAtomically(paths.record, JSON.stringify({ lab, hosts } satisfies LabRecord));
  ensureProgram(lab, program ?? join(installationRoot, "bin", "sojourn"));
  for (const node of nodeNames(hosts)) {
    await ensureNamespace(lab, node);
    await ensureHolder(lab, node);
  }
  await ensureNetwork(lab, hosts);
}

function ensureProgram(lab: string, program: string): void {
  const { bin } = labPaths(lab);
  mkdirSync(bin, { recursive: true, mode: 0o755 });
  try {
    symlinkSync(program, join(bin, "sojourn"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

async function runDaemons(lab: string, hosts: number): Promise<void> {
  const changed = await writeHostFiles(lab, hosts);
  await Promise.all(
    hostNames(hosts).map((host) => {
      if (findDaemon(lab, host) === null) return startDaemon(lab, host);
      return changed.includes(host) ? restartDaemon(lab, host) : undefined;
    }),
  );
}

function inRange(what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw usageError(`${value} ${what}: must be a whole number from ${least} to ${most}`);
}
