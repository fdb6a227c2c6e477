import { createInterface } from "node:readline";
import { asSojournError } from "../../src/platform/errors.ts";
import { createLogger } from "../../src/platform/log.ts";
import { sendFrames } from "../../src/routing/announce/send.ts";
import { removeBarrierLeftovers } from "../../src/routing/barrier/index.ts";
import type { BarrierEnd, RoutingPlane } from "../../src/routing/desired.ts";
import { openRoutingPlane } from "../../src/routing/plane.ts";

/** Serves a routing plane of this process's namespace: one JSON request a line, one JSON answer a line. */
const stateFolder = process.argv[2] ?? null;
const plane = await openRoutingPlane({ logger: createLogger("silent"), stateFolder });
const ends = new Map<string, BarrierEnd>();

for await (const line of createInterface({ input: process.stdin })) {
  const { method, args } = JSON.parse(line) as { method: string; args: unknown[] };
  try {
    const result = await call(method, args);
    process.stdout.write(`${JSON.stringify({ result: result ?? null })}\n`);
  } catch (error) {
    process.stdout.write(`${JSON.stringify({ error: asSojournError(error).toRecord() })}\n`);
  }
}
await plane[Symbol.asyncDispose]();

async function call(method: string, args: unknown[]): Promise<unknown> {
  if (method === "removeBarrierLeftovers") return removeBarrierLeftovers();
  if (method === "sendFrames") {
    const [device, frames] = args as [string, string[]];
    return sendFrames(
      device,
      frames.map((hex) => Buffer.from(hex, "hex")),
    );
  }
  if (method === "closeBarrierEnd") {
    const namespace = String(args[0]);
    await ends.get(namespace)?.[Symbol.asyncDispose]();
    return ends.delete(namespace);
  }
  const operation = plane[method as keyof RoutingPlane] as (...args: unknown[]) => Promise<unknown>;
  const result = await operation(...args);
  if (method.startsWith("openBarrier")) {
    const end = result as BarrierEnd;
    ends.set(end.namespace, end);
    return { namespace: end.namespace };
  }
  return result;
}
