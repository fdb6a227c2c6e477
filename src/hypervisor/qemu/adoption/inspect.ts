import { SojournError } from "../../../platform/errors.ts";
import { isObject } from "../qmp/messages.ts";
import { type DeviceTree, type Execute, readDeviceTree } from "./device-tree.ts";

/** An image that a running guest uses. */
export interface UsedImage {
  file: string;
  format: string;
  readOnly: boolean;
  /** QEMU itself would not find it any more by the path that it was given. */
  isLost: boolean;
}

/** A running QEMU as its own monitor tells of it. */
export interface MonitorFacts {
  version: { major: number; minor: number; text: string };
  /** Null for one that has none. */
  name: string | null;
  uuid: string;
  runState: string;
  target: string;
  /** With its version. */
  machine: string;
  accelerator: "kvm" | "tcg";
  memoryMib: number;
  vcpus: number;
  images: UsedImage[];
  /** Jobs of the block layer under way. */
  jobs: string[];
  /** QEMU's own words why it could not be migrated. */
  blockers: string[];
  migration: string;
  /** Migration capabilities that somebody has set. */
  capabilities: string[];
  tree: DeviceTree;
}

/** Reads all of it; changes nothing. @throws SojournError `SOJ_QMP_PROTOCOL`, or what the connection throws. */
export async function inspectMonitor(execute: Execute): Promise<MonitorFacts> {
  const ask = async (command: string) => objectOf(command, await execute(command));
  const list = async (command: string) => listOf(await execute(command));
  const version = objectOf("query-version", (await ask("query-version")).qemu);
  const [migration, memory] = [await ask("query-migrate"), await ask("query-memory-size-summary")];
  const [major, minor, micro] = ["major", "minor", "micro"].map((key) => Number(version[key]));
  const name = (await ask("query-name")).name;
  const type = await execute("qom-get", { path: "/machine", property: "type" });
  return {
    version: { major: major ?? 0, minor: minor ?? 0, text: `${major}.${minor}.${micro}` },
    name: typeof name === "string" ? name : null,
    uuid: text((await ask("query-uuid")).UUID).toLowerCase(),
    runState: text((await ask("query-status")).status),
    target: text((await ask("query-target")).arch),
    machine: text(type).replace(/-machine$/, ""),
    accelerator: (await ask("query-kvm")).enabled === true ? "kvm" : "tcg",
    memoryMib: Math.round(Number(memory["base-memory"]) / 1024 / 1024),
    vcpus: (await list("query-cpus-fast")).length,
    images: (await list("query-block")).flatMap(imageOf),
    jobs: (await list("query-block-jobs")).map(
      ({ device, type }) => `${text(type)} of ${text(device)}`,
    ),
    blockers: Array.isArray(migration["blocked-reasons"])
      ? migration["blocked-reasons"].map((reason) => text(reason))
      : [],
    migration: text(migration.status) || "none",
    capabilities: (await list("query-migrate-capabilities")).flatMap(({ capability, state }) =>
      state === true ? [text(capability)] : [],
    ),
    tree: await readDeviceTree(execute),
  };
}

function imageOf({ inserted }: Record<string, unknown>): UsedImage[] {
  if (!isObject(inserted)) return [];
  const { file, drv, ro } = inserted;
  return [{ file: text(file), format: text(drv), readOnly: ro === true, isLost: false }];
}

function listOf(value: unknown): Record<string, unknown>[] {
  return (Array.isArray(value) ? value : []).filter(isObject);
}

function objectOf(command: string, value: unknown): Record<string, unknown> {
  if (isObject(value)) return value;
  throw new SojournError("SOJ_QMP_PROTOCOL", `QEMU's answer to ${command} is no object`);
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 4096) : "";
}
