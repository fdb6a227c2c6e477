import { z } from "zod";
import { SojournError } from "../platform/errors.ts";
import type { Run } from "./steps.ts";

const linkSchema = z
  .object({
    ifindex: z.number(),
    ifname: z.string(),
    flags: z.array(z.string()),
    mtu: z.number(),
    group: z.string().default("default"),
    link_type: z.string().default(""),
    address: z.string().optional(),
    ifalias: z.string().default(""),
    inet6_addr_gen_mode: z.string().optional(),
    linkinfo: z
      .object({
        info_kind: z.string().optional(),
        info_data: z
          .object({
            id: z.number().optional(),
            local: z.string().optional(),
            remote: z.string().optional(),
            port: z.number().optional(),
          })
          .optional(),
      })
      .optional(),
  })
  .transform((link) => ({
    index: link.ifindex,
    name: link.ifname,
    kind: link.linkinfo?.info_kind ?? null,
    info: link.linkinfo?.info_data ?? {},
    up: link.flags.includes("UP"),
    mtu: link.mtu,
    group: link.group,
    type: link.link_type,
    mac: link.address ?? null,
    alias: link.ifalias,
    addressGeneration: link.inet6_addr_gen_mode ?? null,
  }));

/** A network interface as `ip -d link` describes it. */
export type Link = z.infer<typeof linkSchema>;

const qdiscSchema = z.object({ kind: z.string(), dev: z.string() });

const filterSchema = z
  .object({
    protocol: z.string(),
    pref: z.number(),
    kind: z.string(),
    options: z
      .object({ handle: z.string().optional(), bpf_name: z.string().optional() })
      .optional(),
  })
  .transform(({ protocol, pref, kind, options }) => ({
    protocol,
    pref,
    kind,
    handle: options?.handle ?? null,
    /** `FILE:[SECTION]` of a BPF filter; null for others and for the line that heads each preference. */
    program: options?.bpf_name ?? null,
  }));

/** A classifier on a clsact or ingress qdisc. */
export type Filter = z.infer<typeof filterSchema>;

const routeSchema = z.object({ type: z.string().default("unicast"), dev: z.string() });

/** All interfaces of this network namespace. */
export async function readLinks(run: Run): Promise<Link[]> {
  return readEntries(run, linkSchema, "ip", "-j", "-d", "link", "show");
}

/** Devices that have a clsact or an ingress qdisc, on which classifiers can sit. */
export async function classifiedDevices(run: Run): Promise<string[]> {
  const qdiscs = await readEntries(run, qdiscSchema, "tc", "-j", "qdisc", "show");
  return qdiscs.filter(({ kind }) => kind === "clsact" || kind === "ingress").map(({ dev }) => dev);
}

/** The filters on one side of a device. */
export async function readFilters(
  run: Run,
  device: string,
  side: "ingress" | "egress",
): Promise<Filter[]> {
  return readEntries(run, filterSchema, "tc", "-j", "filter", "show", "dev", device, side);
}

/** The route that packets from `local` to `remote` take. */
export async function readRoute(run: Run, local: string, remote: string) {
  const [route] = await readEntries(
    run,
    routeSchema,
    "ip",
    "-j",
    "route",
    "get",
    remote,
    "from",
    local,
  );
  return route ?? null;
}

/** What a program of iproute2 prints with `-j`. @throws SojournError `SOJ_TUNNEL_FAILED` when it is not understood. */
export async function readEntries<T>(
  run: Run,
  schema: z.ZodType<T>,
  program: string,
  ...args: string[]
): Promise<T[]> {
  const { stdout } = await run(program, args);
  try {
    // `tc -j` prints nothing at all, not `[]`, where a device has no qdisc.
    return entriesOf(schema, stdout.trim() === "" ? [] : JSON.parse(stdout));
  } catch (error) {
    throw new SojournError(
      "SOJ_TUNNEL_FAILED",
      `${[program, ...args].join(" ")} printed something that is not understood`,
      { cause: error },
    );
  }
}

/** The first entry that is wrong ends it: a list of millions must not become an error of millions. */
function entriesOf<T>(schema: z.ZodType<T>, parsed: unknown): T[] {
  if (!Array.isArray(parsed)) throw new Error("not a list");
  return parsed.filter(isFilled).map((entry, index) => {
    const checked = schema.safeParse(entry);
    if (checked.success) return checked.data;
    const issue = checked.error.issues[0];
    throw new Error(`entry ${index}: ${issue?.path.join(".")}: ${issue?.message}`.slice(0, 300));
  });
}

/** `ip -j link` prints `{}` for links that a selection leaves out. */
function isFilled(entry: unknown): boolean {
  return typeof entry !== "object" || Object.keys(entry ?? {}).length > 0;
}
