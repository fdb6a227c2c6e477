import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "smol-toml";
import { labPaths } from "../../../src/lab/layout.ts";
import type { FaultLab } from "./fault-lab.ts";
import { guest } from "./fault-lab.ts";

/** Stops the guest, adds to its definition, and starts it again; its session is a new one. */
export async function redefineGuest(
  fault: FaultLab,
  added: Record<string, unknown>,
): Promise<void> {
  const path = join(labPaths(fault.lab.name).node("host-a").etc, "guests", `${guest}.toml`);
  const definition = parse(readFileSync(path, "utf8"));
  await fault.run("host-a", ["sojourn", "guest", "stop", guest]);
  writeFileSync(path, stringify({ ...definition, ...added }));
  await fault.run("host-a", ["sojourn", "guest", "start", guest]);
  await fault.openSession(60_000);
}
