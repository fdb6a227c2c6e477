import { readFile } from "node:fs/promises";
import { z } from "zod";
import { runCommand } from "../../../platform/command.ts";
import { SojournError } from "../../../platform/errors.ts";

const interfaceSchema = z
  .object({
    ifindex: z.int(),
    ifname: z.string().max(64),
    flags: z.array(z.string()).default([]),
    mtu: z.int().default(0),
    master: z.string().optional(),
    address: z.string().optional(),
    linkinfo: z.object({ info_kind: z.string().optional() }).optional(),
    addr_info: z
      .array(
        z.object({
          family: z.string(),
          local: z.string().optional(),
          prefixlen: z.int().optional(),
        }),
      )
      .default([]),
  })
  .transform((link) => ({
    index: link.ifindex,
    name: link.ifname,
    isUp: link.flags.includes("UP"),
    mtu: link.mtu,
    master: link.master ?? null,
    mac: link.address ?? null,
    kind: link.linkinfo?.info_kind ?? null,
    addresses: link.addr_info.flatMap(({ family, local, prefixlen }) =>
      family === "inet" && local !== undefined ? [{ address: local, length: prefixlen ?? 32 }] : [],
    ),
  }));

/** A network interface with its IPv4 addresses, as `ip -d address` describes it. */
export type Interface = z.output<typeof interfaceSchema>;

/** All interfaces of this network namespace. @throws SojournError when `ip` cannot be run or understood. */
export async function readInterfaces(): Promise<Interface[]> {
  return parseInterfaces((await runCommand("ip", ["-j", "-d", "address", "show"])).stdout);
}

/** @throws SojournError `SOJ_DOCTOR_OUTPUT` for anything but the output of `ip -j -d address`. */
export function parseInterfaces(text: string): Interface[] {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) throw new Error("not a list");
    // Links that a selection leaves out are printed as {}.
    return list
      .filter((entry) => Object.keys(entry ?? {}).length > 0)
      .map((entry) => {
        const read = interfaceSchema.safeParse(entry);
        if (read.success) return read.data;
        throw new Error(read.error.issues[0]?.message);
      });
  } catch (cause) {
    throw new SojournError("SOJ_DOCTOR_OUTPUT", "ip -j -d address printed what is not understood", {
      cause,
    });
  }
}

/**
 * Whether a bridge keeps its MAC address when ports come and go (addr_assign_type NET_ADDR_SET in
 * Documentation/ABI/testing/sysfs-class-net); null when it cannot be told here.
 */
export async function hasFixedMac(link: Interface): Promise<boolean | null> {
  const folder = `/sys/class/net/${link.name}`;
  try {
    // sysfs shows the namespace that it was mounted in, which may be another one.
    if (Number(await readFile(`${folder}/ifindex`, "utf8")) !== link.index) return null;
    return (await readFile(`${folder}/addr_assign_type`, "utf8")).trim() === "3";
  } catch {
    return null;
  }
}
