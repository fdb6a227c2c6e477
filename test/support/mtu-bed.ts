import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findTool } from "../../src/platform/command.ts";
import { type Namespace, nodePath } from "./namespaces.ts";
import { awayBridge, guest, guestPort, type TwoHosts } from "./two-hosts.ts";

const program = fileURLToPath(new URL("./mtu-peer.ts", import.meta.url));

export const clientAddress = "192.0.2.2";

/** What an end has seen: `received` bytes and the longest gap between two arrivals since `go`, the rest since its start. */
export interface PeerCounts {
  received: number;
  longestGapMs: number;
  datagramsReceived: number;
  datagramsSent: number;
  hasWrongBytes: boolean;
  sent: number;
  total: number;
}

export interface Peer extends AsyncDisposable {
  ask(request: "pause" | "go" | "flood" | "report"): Promise<PeerCounts>;
}

/** A TCP session and 1500-byte datagrams between client and guest, both ways; both ends are disposed. */
export async function openPeers(hosts: TwoHosts): Promise<AsyncDisposable & { all: Peer[] }> {
  await using stack = new AsyncDisposableStack();
  const served = stack.use(start(hosts.guest, "listen", guest));
  await served.ready();
  const client = stack.use(start(hosts.client, "connect", guest));
  const all = [client, served];
  for (const peer of all) await peer.ask("report");
  const owned = stack.move();
  return { all, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Datagrams that have not come by then are lost. */
const lateMs = 500;
/** For what the session's buffers hold. */
const longestWaitMs = 30_000;

/** Both ends send for a while; then all that was sent over the session has arrived. */
export async function exchange(
  peers: readonly Peer[],
  durationMs: number,
  signal?: AbortSignal,
): Promise<PeerCounts[]> {
  for (const peer of peers) await peer.ask("go");
  await setTimeout(durationMs, undefined, signal === undefined ? {} : { signal });
  const stuckMs = performance.now() + longestWaitMs;
  for (let endMs = Number.POSITIVE_INFINITY; ; ) {
    const counts = await Promise.all(peers.map((peer) => peer.ask("pause")));
    const [one, other] = counts;
    if (one?.sent !== other?.total || other?.sent !== one?.total) {
      if (performance.now() < stuckMs) continue;
      throw new Error(`the session is stuck: ${JSON.stringify(counts)}`);
    }
    endMs = Math.min(endMs, performance.now() + lateMs);
    const isWhole = counts.every(
      (seen, index) => seen.datagramsReceived === counts[1 - index]?.datagramsSent,
    );
    if (isWhole || performance.now() > endMs) return counts;
  }
}

/** Moves the guest's cable from the home's bridge to the away host's. */
export async function replug(hosts: TwoHosts): Promise<void> {
  await hosts.a.ip(`link set dev ${guestPort} netns ${hosts.b.name}`);
  await hosts.b.ip(`link set dev ${guestPort} master ${awayBridge} up`);
}

/** Drops "fragmentation needed" on its way into a namespace's sockets. */
export async function filterIcmp(node: Namespace): Promise<void> {
  const nft = (line: string) => node.run("nft", line.split(" "));
  await nft("add table ip deaf");
  await nft("add chain ip deaf in { type filter hook input priority 0; }");
  await nft("add rule ip deaf in icmp type destination-unreachable counter drop");
}

/** TCP counters of a namespace: retransmission time-outs and retransmitted segments. */
export async function retransmissions(node: Namespace) {
  const { stdout } = await node.run("cat", ["/proc/net/netstat", "/proc/net/snmp"]);
  return { timeouts: counter(stdout, "TCPTimeouts"), segments: counter(stdout, "RetransSegs") };
}

/** Packets put together from fragments in a namespace. */
export async function reassembled(node: Namespace): Promise<number> {
  return counter((await node.run("cat", ["/proc/net/snmp"])).stdout, "ReasmOKs");
}

/** The path MTU in bytes that a namespace has learned for `address`; null when none. */
export async function learnedMtu(node: Namespace, address: string): Promise<number | null> {
  const match = / mtu (\d+)/.exec(await node.ip(`route get ${address}`));
  return match === null ? null : Number(match[1]);
}

function start(node: Namespace, mode: "listen" | "connect", address: string) {
  const child = spawn(
    findTool("nsenter"),
    [`--net=/run/netns/${node.name}`, nodePath, program, mode, address],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const next = await lines.next();
    if (next.done) throw new Error(`the peer in ${node.name} ended`);
    return next.value;
  };
  return {
    ready: line,
    ask: async (request: string): Promise<PeerCounts> => {
      child.stdin.write(`${request}\n`);
      return JSON.parse(await line());
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.stdin.end();
      await exited;
    },
  };
}

function counter(text: string, name: string): number {
  const lines = text.split("\n");
  const header = lines.findIndex((line) => line.split(" ").includes(name));
  const column = lines[header]?.split(" ").indexOf(name) ?? -1;
  return Number(lines[header + 1]?.split(" ")[column]);
}
