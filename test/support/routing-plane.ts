import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findTool } from "../../src/platform/command.ts";
import { type ErrorRecord, SojournError } from "../../src/platform/errors.ts";
import type { BarrierEnd, DesiredState, RoutingPlane } from "../../src/routing/desired.ts";
import { emptyDesiredState } from "../../src/routing/desired.ts";
import { type Namespace, nodePath } from "./namespaces.ts";

const driver = fileURLToPath(new URL("./routing-driver.ts", import.meta.url));

export type RemotePlane = RoutingPlane & {
  removeBarrierLeftovers(): Promise<string[]>;
  /** `sendFrames` of src/routing/announce. */
  sendFrames(device: string, frames: readonly Buffer[]): Promise<void>;
};

/** Opens a routing plane inside a namespace: a process of its own that this object talks to. */
export async function openPlaneIn(
  namespace: Namespace,
  stateFolder: string | null = null,
): Promise<RemotePlane> {
  const folder = stateFolder === null ? [] : [stateFolder];
  const child = spawn(
    findTool("nsenter"),
    [`--net=/run/netns/${namespace.name}`, nodePath, driver, ...folder],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const call = async (method: string, ...args: unknown[]): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify({ method, args })}\n`);
    const line = await lines.next();
    if (line.done) throw new Error(`the routing plane in ${namespace.name} ended at ${method}`);
    const answer = JSON.parse(line.value) as { result?: unknown; error?: ErrorRecord };
    if (answer.error !== undefined) throw SojournError.fromRecord(answer.error, 500);
    return answer.result;
  };
  const openEnd = async (method: string, options: unknown): Promise<BarrierEnd> => {
    const end = (await call(method, options)) as { namespace: string };
    const close = async () => void (await call("closeBarrierEnd", end.namespace));
    return { namespace: end.namespace, [Symbol.asyncDispose]: close };
  };
  return {
    apply: (desired) => call("apply", desired) as ReturnType<RoutingPlane["apply"]>,
    plan: (desired) => call("plan", desired) as ReturnType<RoutingPlane["plan"]>,
    replaceRoute: (route) => call("replaceRoute", route) as Promise<void>,
    deleteRoute: (route) => call("deleteRoute", route) as Promise<void>,
    warm: (devices) => call("warm", devices) as Promise<void>,
    arm: (address) => call("arm", address) as Promise<void>,
    disarm: (address) => call("disarm", address) as Promise<void>,
    linkMtu: (device) => call("linkMtu", device) as Promise<number | null>,
    linkMac: (device) => call("linkMac", device) as Promise<string | null>,
    addressUser: (device, address) =>
      call("addressUser", device, address) as ReturnType<RoutingPlane["addressUser"]>,
    neighbourMac: (device, address) =>
      call("neighbourMac", device, address) as ReturnType<RoutingPlane["neighbourMac"]>,
    knownNeighbours: (device) =>
      call("knownNeighbours", device) as ReturnType<RoutingPlane["knownNeighbours"]>,
    linkCounters: (device) =>
      call("linkCounters", device) as ReturnType<RoutingPlane["linkCounters"]>,
    linkSpeed: (device) => call("linkSpeed", device) as ReturnType<RoutingPlane["linkSpeed"]>,
    refusedPackets: () => call("refusedPackets") as ReturnType<RoutingPlane["refusedPackets"]>,
    lengthenQueue: (device, length) => call("lengthenQueue", device, length) as Promise<void>,
    primeTap: (device, mac) => call("primeTap", device, mac) as Promise<void>,
    emptyQueue: (device) => call("emptyQueue", device) as Promise<void>,
    routeTo: (address) => call("routeTo", address) as ReturnType<RoutingPlane["routeTo"]>,
    openBarrierResponder: (options) => openEnd("openBarrierResponder", options),
    openBarrierProber: (options) => openEnd("openBarrierProber", options),
    probeThroughBarrier: ({ namespace: name }, options) =>
      call("probeThroughBarrier", { namespace: name }, options) as Promise<boolean>,
    async sendFrames(device, frames) {
      const inHex = frames.map((bytes) => bytes.toString("hex"));
      await call("sendFrames", device, inHex);
    },
    removeBarrierLeftovers: () => call("removeBarrierLeftovers") as Promise<string[]>,
    async [Symbol.asyncDispose]() {
      const isRunning = child.exitCode === null && child.signalCode === null;
      const ended = isRunning ? once(child, "exit") : null;
      child.stdin.end();
      await ended;
    },
  };
}

/** A desired state of which only some parts matter. */
export function desiredState(parts: Partial<DesiredState>): DesiredState {
  return { ...emptyDesiredState, ...parts };
}
