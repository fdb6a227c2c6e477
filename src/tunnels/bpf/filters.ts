import { foreignObject } from "../errors.ts";
import { filterHandle } from "../identity.ts";
import { classifiedDevices, type Filter, readFilters } from "../inspect.ts";
import { type Action, command, type Run } from "../steps.ts";

/** Preference of our filters on underlay devices; several tunnels share it, each with its own handle. */
export const filterPreference = 183;

/** Where a tunnel's BPF program hangs. */
export interface Attachment {
  device: string;
  side: "ingress" | "egress";
  name: string;
}

/** The command that loads one program of `objectFile` and hangs it there. */
export function addFilter(run: Run, at: Attachment, objectFile: string): Action {
  // tc mounts a BPF file system on /sys/fs/bpf when there is none; in its own mount namespace it goes with it.
  return command(run, "unshare", "--mount", "tc", "filter", "add", ...place(at), ...program());

  function program(): string[] {
    return ["direct-action", "object-file", objectFile, "section", `tc/${at.side}`];
  }
}

/** Takes one filter away again. */
export function deleteFilter(run: Run, at: Attachment): Action {
  return command(run, "tc", "filter", "del", ...place(at));
}

/**
 * Adds the qdisc on which filters sit. On a device with traffic that is not free: the kernel stops the device's
 * queues for an RCU grace period meanwhile, and what is sent in that time is lost (`qdisc_graft` in
 * net/sched/sch_api.c, which removal passes through too). So the underlay gets it once and keeps it.
 */
export function addClsact(run: Run, device: string): Action {
  return command(run, "tc", "qdisc", "add", "dev", device, "clsact");
}

/** Every filter of the tunnel on devices other than its own, wherever the underlay was at the time. */
export async function findFilters(run: Run, name: string): Promise<Attachment[]> {
  const found: Attachment[] = [];
  for (const device of await classifiedDevices(run)) {
    if (device === name) continue;
    const filters = await readFilters(run, device, "ingress");
    if (filters.some((filter) => belongsTo(filter, name))) {
      found.push({ device, side: "ingress", name });
    }
  }
  return found;
}

/**
 * Whether the tunnel's program is there.
 * @throws SojournError `SOJ_TUNNEL_FOREIGN` when somebody else's filter has our place.
 */
export async function isAttached(run: Run, at: Attachment): Promise<boolean> {
  const filters = await readFilters(run, at.device, at.side);
  const inPlace = filters.filter(
    ({ pref, protocol }) => pref === filterPreference && protocol === protocolOf(at),
  );
  const foreign = inPlace.find(
    (filter) =>
      filter.kind !== "bpf" ||
      (filter.handle === filterHandle(at.name) && !belongsTo(filter, at.name)),
  );
  if (foreign !== undefined) {
    const what = foreign.program ?? `a ${foreign.kind} filter`;
    throw foreignObject(
      `${what} has preference ${filterPreference} on ${at.device} ${at.side}, which the tunnel needs`,
    );
  }
  return inPlace.some((filter) => belongsTo(filter, at.name));
}

function belongsTo(filter: Filter, name: string): boolean {
  return filter.program?.startsWith(`${name}.o:[`) ?? false;
}

function place(at: Attachment): string[] {
  const preference = ["pref", `${filterPreference}`, "handle", filterHandle(at.name)];
  return ["dev", at.device, at.side, "protocol", protocolOf(at), ...preference, "bpf"];
}

/** On its own device a tunnel also sees, and drops, what is not IPv4. */
function protocolOf(at: Attachment): string {
  return at.side === "egress" ? "all" : "ip";
}
