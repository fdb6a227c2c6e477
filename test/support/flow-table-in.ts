import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findTool } from "../../src/platform/command.ts";
import { type ErrorRecord, SojournError } from "../../src/platform/errors.ts";
import type { FlowTable } from "../../src/routing/flows/flow-table.ts";
import { type Namespace, nodePath } from "./namespaces.ts";

const driver = fileURLToPath(new URL("./flow-table-driver.ts", import.meta.url));

/** Opens the flow table of a namespace: a process of its own that this object talks to. */
export function openFlowTableIn(namespace: Namespace): FlowTable & AsyncDisposable {
  const child = spawn(
    findTool("nsenter"),
    [`--net=/run/netns/${namespace.name}`, nodePath, driver],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const call = async (method: string, ...args: unknown[]): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify({ method, args })}\n`);
    const line = await lines.next();
    if (line.done) throw new Error(`the flow table in ${namespace.name} ended at ${method}`);
    const answer = JSON.parse(line.value) as { result?: unknown; error?: ErrorRecord };
    if (answer.error !== undefined) throw SojournError.fromRecord(answer.error, 500);
    return answer.result;
  };
  return {
    isTracking: () => call("isTracking") as Promise<boolean>,
    read: (address) => call("read", address) as ReturnType<FlowTable["read"]>,
    install: (address, flows, options) =>
      call("install", address, flows, options) as ReturnType<FlowTable["install"]>,
    forget: (flows) => call("forget", flows) as Promise<number>,
    [Symbol.dispose]: () => void child.kill(),
    async [Symbol.asyncDispose]() {
      const isRunning = child.exitCode === null && child.signalCode === null;
      const ended = isRunning ? once(child, "exit") : null;
      child.stdin.end();
      await ended;
    },
  };
}
