import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { HostFacts } from "../../src/migrator/network.ts";
import { RecordStore } from "../../src/migrator/record-store.ts";
import type { GuestRecord } from "../../src/migrator/records.ts";
import { findTool } from "../../src/platform/command.ts";
import { type Namespace, nodePath } from "./namespaces.ts";

const driver = fileURLToPath(new URL("./keeper-driver.ts", import.meta.url));

export interface KeeperFigures {
  lines: number;
  relevant: number;
  losses: number;
  looks: number;
  isIdle: boolean;
  cpuMs: number;
}

export type KeeperRequest = "hold" | "postpone" | "release" | "change" | "forget";

/** A process that keeps a namespace's network as records say, and what it has logged. */
export interface KeptHost extends AsyncDisposable {
  pid: number;
  log: { level: number; msg: string; lines?: string[] }[];
  figures(): Promise<KeeperFigures>;
  ask(request: KeeperRequest): Promise<void>;
}

/** Starts it, with so many repairs allowed at once; resolves when the namespace is as the records say. */
export async function keepHost(
  namespace: Namespace,
  facts: HostFacts,
  records: readonly GuestRecord[],
  burst: number,
): Promise<KeptHost> {
  const folder = mkdtempSync(join(tmpdir(), "sojourn-keeper-"));
  const store = new RecordStore(join(folder, "guests"));
  for (const record of records) store.put(record);
  const inNamespace = [`--net=/run/netns/${namespace.name}`, nodePath, driver];
  const child = spawn(
    findTool("nsenter"),
    [...inNamespace, folder, JSON.stringify(facts), `${burst}`],
    {
      stdio: ["pipe", "pipe", "pipe"],
    },
  );
  const log: KeptHost["log"] = [];
  const said: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    said.push(line);
    if (line.startsWith("{")) log.push(JSON.parse(line));
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const line = await answers.next();
    if (line.done) throw new Error(`the keeper in ${namespace.name} ended: ${said.join("\n")}`);
    return JSON.parse(line.value);
  };
  await answer();
  const ask = (request: string) => {
    child.stdin.write(`${request}\n`);
    return answer();
  };
  return {
    pid: child.pid ?? 0,
    log,
    figures: () => ask("figures") as Promise<KeeperFigures>,
    ask: async (request) => void (await ask(request)),
    async [Symbol.asyncDispose]() {
      const isRunning = child.exitCode === null && child.signalCode === null;
      const ended = isRunning ? once(child, "exit") : null;
      child.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
