import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findTool } from "../../src/platform/command.ts";
import type { FlowTable } from "../../src/routing/flows/flow-table.ts";
import { openFlowTableIn } from "../support/flow-table-in.ts";
import { connect, createNamespace, type Namespace, nodePath } from "../support/namespaces.ts";
import { said } from "../support/sojourn-process.ts";

export const guestAddress = "10.1.0.10";
export const clientAddress = "192.0.2.2";
/** Home's, where it translates. */
export const homeAddress = "203.0.113.1";

const program = fileURLToPath(new URL("../support/programs/sessions.ts", import.meta.url));

/** Some bytes by session. */
export type Moved = Record<string, number>;

/** A client, a home and another host that a guest can be behind, home on the way to it. */
export interface FlowsBed extends AsyncDisposable {
  client: Namespace;
  home: Namespace;
  away: Namespace;
  homeTable: FlowTable;
  awayTable: FlowTable;
  /** From now on the guest is behind the other host, and home leads its packets there. */
  moveGuest(): Promise<void>;
  /** Runs sessions of every kind; resolves once all have begun. Returns what they have moved as they tell. */
  startSessions(): Promise<AsyncIterator<Moved>>;
  /** What the other host's firewall has dropped. */
  droppedAway(): Promise<number>;
}

/** The other host forwards established flows only; home translates port 8080 to the guest's 80, and what the guest begins. */
export async function openFlowsBed(): Promise<FlowsBed> {
  await using building = new AsyncDisposableStack();
  const make = async (label: string) => building.use(await createNamespace(label));
  const [client, home] = [await make("flow-client"), await make("flow-home")];
  const [away, guest] = [await make("flow-away"), await make("flow-guest")];
  const join = async (a: Namespace, b: Namespace, [left, right]: [string, string], net: string) =>
    connect(
      { namespace: a, device: left, address: `${net}.1/30` },
      { namespace: b, device: right, address: `${net}.2/30` },
    );
  await join(client, home, ["home", "client"], "198.18.1");
  await join(home, away, ["away", "home"], "198.18.2");
  await join(home, guest, ["guest", "home"], "198.18.3");
  await join(away, guest, ["guest", "away"], "198.18.4");
  await client.ip(`address add ${clientAddress}/32 dev lo`);
  await client.ip(`route add default via 198.18.1.2 src ${clientAddress}`);
  await home.ip(`address add ${homeAddress}/32 dev lo`);
  await home.ip(`route add ${clientAddress} via 198.18.1.1`);
  await home.ip(`route add ${guestAddress} via 198.18.3.2`);
  await away.ip("route add default via 198.18.2.1");
  await away.ip(`route add ${guestAddress} via 198.18.4.2`);
  await guest.ip(`address add ${guestAddress}/32 dev lo`);
  await guest.ip(`route add default via 198.18.3.1 src ${guestAddress}`);
  for (const host of [home, away]) await host.sysctl("net/ipv4/ip_forward", "1");
  await load(home, homeRules);
  await load(away, awayRules);
  const [homeTable, awayTable] = [home, away].map((host) => building.use(openFlowTableIn(host)));
  if (homeTable === undefined || awayTable === undefined) throw new Error("no flow tables");
  const owned = building.move();
  return {
    ...{ client, home, away, homeTable, awayTable },
    async moveGuest() {
      await home.ip(`route replace ${guestAddress} via 198.18.2.2`);
      await guest.ip(`route replace default via 198.18.4.1 src ${guestAddress}`);
    },
    async startSessions() {
      const serving = startIn(guest, ["guest", clientAddress]);
      owned.use(serving);
      await said(serving.child, "listening");
      const dialling = startIn(client, ["client", guestAddress, homeAddress]);
      owned.use(dialling);
      if (dialling.child.stdout === null) throw new Error("no output");
      const lines = createInterface({ input: dialling.child.stdout })[Symbol.asyncIterator]();
      const told: AsyncIterator<Moved> = {
        async next() {
          const line = await lines.next();
          if (line.done) throw new Error("the client's program has ended");
          return { done: false, value: JSON.parse(line.value) as Moved };
        },
      };
      await told.next();
      serving.child.stdin?.write("go\n");
      return told;
    },
    async droppedAway() {
      const { stdout } = await away.run("nft", ["list", "counter", "ip", "t", "dropped"]);
      return Number(/packets (\d+)/.exec(stdout)?.[1]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

const homeRules = `table ip t {
  chain forward { type filter hook forward priority 0; ct state established counter; }
  chain inward { type nat hook prerouting priority dstnat; ip daddr ${homeAddress} tcp dport 8080 dnat to ${guestAddress}:80; }
  chain outward { type nat hook postrouting priority srcnat; ip saddr ${guestAddress} snat to ${homeAddress}; }
}`;
const awayRules = `table ip t {
  counter dropped { }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    counter name dropped
  }
}`;

async function load(host: Namespace, rules: string): Promise<void> {
  await host.run("nft", [rules]);
}

function startIn(
  namespace: Namespace,
  args: readonly string[],
): AsyncDisposable & { child: ChildProcess } {
  const child = spawn(
    findTool("nsenter"),
    [`--net=/run/netns/${namespace.name}`, nodePath, program, ...args],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  return {
    child,
    async [Symbol.asyncDispose]() {
      const isRunning = child.exitCode === null && child.signalCode === null;
      const ended = isRunning ? once(child, "exit") : null;
      child.kill("SIGKILL");
      await ended;
    },
  };
}
