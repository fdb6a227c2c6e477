import { createInterface } from "node:readline";
import { asSojournError } from "../../src/platform/errors.ts";
import { KernelFlowTable } from "../../src/routing/flows/kernel-flow-table.ts";

/** Serves the flow table of this process's namespace: one JSON request a line, one JSON answer a line. */
using table = new KernelFlowTable();

for await (const line of createInterface({ input: process.stdin })) {
  const { method, args } = JSON.parse(line) as { method: string; args: unknown[] };
  try {
    const operation = table[method as keyof KernelFlowTable] as (
      ...args: unknown[]
    ) => Promise<unknown>;
    const result = await operation.apply(table, args);
    process.stdout.write(`${JSON.stringify({ result: result ?? null })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: asSojournError(error).toRecord() })}\n`);
  }
}
