import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { hashToken, newToken } from "../../../src/daemon/access/tokens.ts";
import { changeTokensFile } from "../../../src/daemon/access/tokens-file.ts";
import type { Role } from "../../../src/daemon/api/api.ts";
import { findDaemon, restartDaemon } from "../../../src/lab/daemon-process.ts";
import { labNodePrefix } from "../../../src/lab/index.ts";
import { hostAddresses, labPaths } from "../../../src/lab/layout.ts";

const port = 7708;

/** Where callers find a host's API, and as whom. */
export interface ApiAddress {
  host: string;
  port: number;
  caPath: string;
  /** Each may follow 32 streams and ask 200 times a second. */
  readTokens: string[];
  operateToken: string;
}

/** Gives a host of a lab an API over TCP, with the limits that it has by default. */
export async function openApi(lab: string, node: string): Promise<ApiAddress> {
  const { etc } = labPaths(lab).node(node);
  const host = hostAddresses(node).underlayAddress;
  const readTokens: string[] = [];
  for (let number = 0; number < 5; number += 1) {
    readTokens.push(await addToken(etc, `reader-${number}`, "read"));
  }
  const operateToken = await addToken(etc, "mover", "operate");
  const path = join(etc, "sojourn.toml");
  writeFileSync(path, `${readFileSync(path, "utf8")}\n[api]\nlisten = "${host}:${port}"\n`);
  await restartDaemon(lab, node);
  return { host, port, caPath: join(etc, "pki", "ca.crt"), readTokens, operateToken };
}

/** Addresses of the client's, beside its own, from which a crowd may come. */
export async function addClientAddresses(lab: string, count: number): Promise<string[]> {
  const addresses = Array.from({ length: count }, (_, number) => `192.0.2.${101 + number}`);
  for (const address of addresses) {
    const command = ["/usr/sbin/ip", "address", "add", `${address}/32`, "dev", "eth0"];
    const [program, ...args] = [...labNodePrefix(lab, "client"), ...command];
    await execa(program as string, args);
  }
  return addresses;
}

/** Memory of host-a's daemon: now, and the most since `forgetPeak`, MiB. */
export function daemonMemory(lab: string): { nowMiB: number; peakMiB: number } {
  const status = readFileSync(`/proc/${daemonPid(lab)}/status`, "utf8");
  const mib = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024);
  return { nowMiB: mib("VmRSS"), peakMiB: mib("VmHWM") };
}

/** See proc_pid_clear_refs(5). */
export function forgetPeak(lab: string): void {
  writeFileSync(`/proc/${daemonPid(lab)}/clear_refs`, "5");
}

function daemonPid(lab: string): number {
  const daemon = findDaemon(lab, "host-a");
  if (daemon === null) throw new Error("host-a's daemon does not run any more");
  return daemon.pid;
}

async function addToken(etc: string, name: string, role: Role): Promise<string> {
  const token = newToken();
  const created = new Date().toISOString();
  await changeTokensFile(join(etc, "api-tokens.json"), (tokens) => [
    ...tokens,
    { name, role, sha256: hashToken(token), created, expires: null },
  ]);
  return token;
}
