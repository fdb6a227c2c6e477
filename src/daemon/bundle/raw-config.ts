import { readFile } from "node:fs/promises";
import { parse, type TomlTable } from "smol-toml";

const mostBytes = 1024 * 1024;

/** The configuration as it stands in the file, unchecked; null when it is no TOML, or not there. */
export async function readRawConfig(path: string): Promise<TomlTable | null> {
  try {
    const text = await readFile(path, "utf8");
    return text.length > mostBytes ? null : parse(text, { maxDepth: 20 });
  } catch {
    return null;
  }
}

/** `key = "value"` wherever it stands in a file, also in one that is no TOML: for what must not leave the host. */
export async function looseValues(path: string): Promise<Record<string, string>[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const values = text
    .slice(0, mostBytes)
    .matchAll(/([A-Za-z_][\w-]*)["']?\s*=\s*(?:"([^"\n]*)"|'([^'\n]*)')/g);
  return [...values].map(([, key = "", double, single]) => ({ [key]: double ?? single ?? "" }));
}

/** What a configuration tells of where things are, as far as it can be read. */
export interface Places {
  state: string;
  /** Bridges by name, and the underlay's device by its address. */
  devices: readonly string[];
}

/** Where the raw configuration says that things are; the defaults where it does not. */
export function placesIn(config: TomlTable | null): Places {
  const tables = (name: string) => [config?.[name]].flat().filter(isTable);
  const strings = (value: unknown) => (typeof value === "string" ? [value] : []);
  const [state = "/var/lib/sojourn"] = tables("paths").flatMap((paths) => strings(paths.state));
  const bridges = tables("guest_networks").flatMap(({ bridge }) => strings(bridge));
  const underlay = tables("host").flatMap((host) => strings(host.underlay_address));
  return { state, devices: [...underlay, ...bridges] };
}

function isTable(value: unknown): value is TomlTable {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
