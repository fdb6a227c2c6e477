import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { usageError } from "../platform/errors.ts";
import { findDaemon, restartDaemon, startDaemon } from "./daemon-process.ts";
import { readRecord, writeFileAtomically } from "./files.ts";
import { enterMachine } from "./footprint.ts";
import {
  type GuestImage,
  type GuestImageOptions,
  guestFiles,
  guestImage,
  overlayEntries,
} from "./guest-image.ts";
import {
  findGuest,
  firstHost,
  type GuestOptions,
  guestAddress,
  guestDefinitionPath,
  guestName,
  leastMemoryMib,
  maxGuests,
  startGuest,
  type UpGuest,
  waitForGuest,
  writeGuestDefinition,
} from "./guests.ts";
import { ensureHolder } from "./holder.ts";
import { writeHostFiles } from "./host-files.ts";
import {
  anchorNames,
  checkLabName,
  daemonNodes,
  hostNames,
  installationRoot,
  labPaths,
  nodeNames,
  type Topology,
} from "./layout.ts";
import { libvirtMountPoints } from "./libvirt/paths.ts";
import { domainNumber, runDomain, runLibvirt } from "./libvirt/up.ts";
import { maxLinkMbps } from "./link-limit.ts";
import { lockLab } from "./lock.ts";
import { ensureNamespace, refuseForeignNamespaces } from "./namespaces.ts";
import { ensureNetwork } from "./network.ts";
import type { LabRecord } from "./nodes.ts";
import { refuseUnlessOutside, refuseWithoutLibvirt } from "./requirements.ts";

export interface UpOptions {
  lab: string;
  /** Default 3, or what the lab has; a lab that is up only grows. */
  hosts?: number | undefined;
  /** Default 0, or what the lab has; as with hosts. */
  anchors?: number | undefined;
  /** The node whose guest subnet the guests' addresses are of: `host-a`, or an anchor. They run on the first host. */
  guestHome?: string | undefined;
  /** Default 1. */
  guests?: number | undefined;
  memoryMib?: number | undefined;
  guestAppend?: string | undefined;
  /** A libvirtd on each host, and `web1` as its domain; by default as the lab has it. */
  libvirt?: boolean | undefined;
  /** By default as the lab has it, else routed. */
  topology?: Topology | undefined;
  /** Of each host's link to the router, each way; 0: no limit. By default as the lab has it, else none. */
  linkMbps?: number | undefined;
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
  const nodes = nodeNames(request);

  say("nodes", `${nodes.join(", ")}: namespaces, links, addresses`);
  await buildNodes(lab, request, options.program);
  if (options.daemons === false) return { lab, nodes, guests: [] };

  const hosts = daemonNodes(request);
  const changed = await writeHostFiles(lab, request);
  if (request.libvirt) {
    say("libvirt", `${hostNames(request.hosts).join(", ")}: libvirtd`);
    await runLibvirt(lab, request.hosts);
  }
  say("daemons", `${hosts.join(", ")}: certificates, configuration, daemons`);
  await runDaemons(lab, hosts, changed);

  const guests: LabSummary["guests"] = [];
  const image = request.guests > 0 ? await guestImage(lab, options.image ?? {}) : null;
  for (let number = 1; image !== null && number <= request.guests; number++) {
    const [name, address] = [guestName(number), guestAddress(number, request.home)];
    const booting = () => say("guests", `${name} (${address}): booting on ${firstHost}`);
    const guest =
      request.libvirt && number === domainNumber
        ? await runDomain(lab, request.hosts, image, request, booting)
        : await runGuest(lab, number, image, request, booting);
    // One that its user has paused would not answer, nor one that plain libvirt has taken elsewhere.
    if (guest.state !== "paused" && !guest.isAway) {
      await waitForGuest(lab, number, options.signal, request.home);
      say("guests", `${name} (${address}) answers the client`);
    }
    guests.push({ name, address, host: guest.host });
  }
  return { lab, nodes, guests };
}

interface Request {
  hosts: number;
  anchors: number;
  /** Of the guests. */
  home: string;
  guests: number;
  memoryMib: number;
  append: string;
  libvirt: boolean;
  topology: Topology;
  linkMbps: number;
}

/** Everything that can be wrong with the wish is found before anything is built. */
function checkRequest(lab: string, options: UpOptions): Request {
  const record = readRecord<LabRecord>(labPaths(lab).record);
  const standing = record?.hosts ?? 0;
  const hosts = Math.max(options.hosts ?? (standing || 3), standing);
  hostNames(options.hosts ?? hosts);
  const anchors = Math.max(options.anchors ?? 0, record?.anchors ?? 0);
  anchorNames(options.anchors ?? anchors);
  const home = checkGuestHome(options.guestHome, anchors, record);
  const guests = inRange("guests", options.guests ?? 1, 0, maxGuests);
  const memoryMib = inRange(
    "MiB of guest memory",
    options.memoryMib ?? 128,
    leastMemoryMib,
    65_536,
  );
  const append = options.guestAppend ?? "";
  if (append.length > 1000 || /\p{Cc}/u.test(append)) {
    throw usageError("the guest's kernel arguments are one line of at most 1000 characters");
  }
  if (guests > 0 && options.daemons !== false) guestFiles(options.image ?? {});
  if (options.image?.overlay !== undefined) overlayEntries(options.image.overlay);
  const libvirt = options.libvirt ?? record?.libvirt ?? false;
  if (libvirt && home !== firstHost) {
    throw usageError(`${guestName(domainNumber)} as a libvirt domain is at home on ${firstHost}`);
  }
  if (libvirt && record?.libvirt !== true) {
    refuseWithoutLibvirt();
    if (record !== null && existsSync(guestDefinitionPath(lab, guestName(domainNumber)))) {
      throw usageError(
        `${guestName(domainNumber)} of the lab ${lab} is a guest of its own and not libvirt's`,
        `remove the lab first: sojourn lab down --lab ${lab}`,
      );
    }
  }
  const topology = options.topology ?? record?.topology ?? "routed";
  if (record !== null && topology !== (record.topology ?? "routed")) {
    throw usageError(
      `the lab ${lab} is up and not ${topology}`,
      `remove it first: sojourn lab down --lab ${lab}`,
    );
  }
  const wish = options.linkMbps ?? record?.linkMbps ?? 0;
  const linkMbps = inRange("Mbit/s of a link", wish, 0, maxLinkMbps);
  return { hosts, anchors, home, guests, memoryMib, append, libvirt, topology, linkMbps };
}

function checkGuestHome(
  wish: string | undefined,
  anchors: number,
  record: LabRecord | null,
): string {
  const home = wish ?? record?.guestHome ?? firstHost;
  if (![firstHost, ...anchorNames(anchors)].includes(home)) {
    throw usageError(
      `${JSON.stringify(home.slice(0, 80))} cannot be the guests' home`,
      "host-a, or an anchor of the lab: --anchors 1 --guest-home anchor-a",
    );
  }
  if (record === null || (record.guestHome ?? firstHost) === home) return home;
  throw usageError(
    `the guests of the lab ${record.lab} are at home on ${record.guestHome ?? firstHost}`,
    `remove the lab first: sojourn lab down --lab ${record.lab}`,
  );
}

/** Starts the guest unless it is there; calls back before. */
async function runGuest(
  lab: string,
  number: number,
  image: GuestImage,
  options: GuestOptions,
  onStart: () => void,
): Promise<UpGuest> {
  const name = guestName(number);
  writeGuestDefinition(lab, number, image, options);
  const guest = await findGuest(lab, firstHost, name);
  if (guest === null || guest.state === "stopped") {
    onStart();
    await startGuest(lab, name);
  }
  return { host: guest?.host ?? firstHost, state: guest?.state ?? "running", isAway: false };
}

async function buildNodes(lab: string, request: Request, program?: string): Promise<void> {
  const { hosts, anchors, libvirt, topology, linkMbps } = request;
  const guestHome = request.home === firstHost ? {} : { guestHome: request.home };
  const made: LabRecord = {
    lab,
    hosts,
    ...(anchors > 0 ? { anchors } : {}),
    ...guestHome,
    libvirt,
    topology,
    ...(linkMbps > 0 ? { linkMbps } : {}),
  };
  const paths = labPaths(lab);
  const isNew = readRecord<LabRecord>(paths.record) === null;
  if (isNew) await refuseForeignNamespaces(lab);
  await enterMachine(lab, libvirt ? libvirtMountPoints : []);
  writeFileAtomically(paths.record, JSON.stringify(made));
  ensureProgram(lab, program ?? join(installationRoot, "bin", "sojourn"));
  for (const node of nodeNames(request)) {
    await ensureNamespace(lab, node);
    await ensureHolder(lab, node);
  }
  await ensureNetwork(lab, request, linkMbps);
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

async function runDaemons(lab: string, hosts: readonly string[], changed: readonly string[]) {
  await Promise.all(
    hosts.map((host) => {
      if (findDaemon(lab, host) === null) return startDaemon(lab, host);
      return changed.includes(host) ? restartDaemon(lab, host) : undefined;
    }),
  );
}

function inRange(what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw usageError(`${value} ${what}: must be a whole number from ${least} to ${most}`);
}
