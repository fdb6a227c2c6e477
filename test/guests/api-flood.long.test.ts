import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { findDaemon } from "../../src/lab/daemon-process.ts";
import { labNodePrefix } from "../../src/lab/index.ts";
import { TestLab } from "../support/lab.ts";
import { move } from "./support/moves.ts";

const program = join(import.meta.dirname, "..", "support", "programs", "slow-connections.ts");
const address = "172.16.1.2";
const url = `https://${address}:7708`;
const sources = Array.from({ length: 60 }, (_, index) => `192.0.2.${100 + index}`);

let lab: TestLab;
let folder: string;

beforeAll(async () => {
  lab = await TestLab.up(`apiflood${process.pid}`, ["--hosts", "2"]);
  await lab.configure("host-a", `[api]\nlisten = "${address}:7708"`);
  const made = await lab.run("host-a", ["sojourn", "token", "create", "ci", "--role", "read"]);
  folder = await mkdtemp(join(tmpdir(), "sojourn-flood-"));
  await writeFile(join(folder, "token"), made, { mode: 0o600 });
  const add = `for a in ${sources.join(" ")}; do ip address add $a/32 dev "$dev"; done`;
  const find = "dev=$(ip -o -4 address show to 192.0.2.2 | awk '{print $2}')";
  await lab.run("client", ["sh", "-c", `${find}; ${add}`]);
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

test("ten thousand slow connections to the API leave a migration, the daemon's memory and known callers as they are", async () => {
  const pid = findDaemon(lab.name, "host-a")?.pid ?? 0;
  // A token that was made just now is known to the daemon within a second.
  await vi.waitFor(guestsFromAfar, { timeout: 5_000, interval: 200 });
  const quiet = [await blackoutMs("host-b"), await blackoutMs("host-a")];
  const beforeBytes = residentBytes(pid);
  await using flood = await startFlood();
  const flooded: number[] = [];
  for (const to of ["host-b", "host-a"]) {
    flooded.push(await blackoutMs(to));
    expect(await guestsFromAfar()).toMatchObject([{ name: "web1" }]);
  }
  const { started, refused } = await flood.end();
  const grownBytes = residentBytes(pid) - beforeBytes;
  expect(started).toBeGreaterThanOrEqual(10_000);
  // Of those that are open at the end, no more than half of all that the API keeps are silent.
  expect(started - refused).toBeLessThanOrEqual(512);
  expect(grownBytes).toBeLessThan(200e6);
  // The machine's own noise is larger than what there is to see.
  expect(Math.min(...flooded)).toBeLessThan(2 * Math.max(...quiet) + 30);
});

/** What a known caller on another host than the flood's sees. */
async function guestsFromAfar(): Promise<unknown> {
  const files = ["--token-file", join(folder, "token"), "--ca-file", "/etc/sojourn/pki/ca.crt"];
  const command = ["sojourn", "--host", url, ...files, "guest", "ls", "--json"];
  return JSON.parse(await lab.run("host-b", command));
}

async function blackoutMs(to: string): Promise<number> {
  const { report } = await move(lab, "host-a", to);
  return report?.blackout_ms ?? Number.NaN;
}

function residentBytes(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

async function startFlood() {
  const [command, ...prefix] = labNodePrefix(lab.name, "client");
  const args = [...prefix, process.execPath, program, address, "7708", ...sources];
  const child = spawn(command as string, args, { stdio: ["pipe", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  await once(child.stdout, "data");
  const end = async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, "close");
    return JSON.parse(said.trim().split("\n").at(-1) ?? "") as { started: number; refused: number };
  };
  return { end, [Symbol.asyncDispose]: async () => void child.kill("SIGKILL") };
}
