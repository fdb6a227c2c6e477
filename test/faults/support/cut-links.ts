import type { FaultLab } from "./fault-lab.ts";

const peerPort = 7707;
const a = "172.16.1.2";
const b = "172.16.2.2";

/** What the router drops between the hosts: packets vanish, nobody is told. */
export const cuts = {
  control: [
    `ip saddr { ${a}, ${b} } ip daddr { ${a}, ${b} } tcp sport ${peerPort} counter drop`,
    `ip saddr { ${a}, ${b} } ip daddr { ${a}, ${b} } tcp dport ${peerPort} counter drop`,
  ],
  data: [
    `tcp sport ${peerPort} accept`,
    `tcp dport ${peerPort} accept`,
    `ip saddr { ${a}, ${b} } ip daddr { ${a}, ${b} } counter drop`,
  ],
  both: [`ip saddr { ${a}, ${b} } ip daddr { ${a}, ${b} } counter drop`],
  "b to a": [`ip saddr ${b} ip daddr ${a} counter drop`],
  /** Bare acknowledgements of the stream (at most 80 bytes) pass, what QEMU says does not. */
  "return path": [
    `tcp sport ${peerPort} accept`,
    `tcp dport ${peerPort} accept`,
    `ip saddr ${b} ip protocol tcp ip length > 80 counter drop`,
  ],
} as const;

export interface CutLink extends AsyncDisposable {
  droppedPackets(): Promise<number>;
}

/** Cuts until it is disposed of. */
export async function cutLink(fault: FaultLab, what: keyof typeof cuts): Promise<CutLink> {
  const chain = ["type filter hook forward priority 0", ...cuts[what]].join("\n");
  await fault.run("router", ["nft", `table ip fault {\nchain forward {\n${chain}\n}\n}`]);
  fault.injected += 1;
  let isCut = true;
  return {
    droppedPackets: async () => {
      const text = await fault.run("router", ["nft", "list", "table", "ip", "fault"]);
      const counts = [...text.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    [Symbol.asyncDispose]: async () => {
      if (!isCut) return;
      isCut = false;
      await fault.run("router", ["nft", "delete", "table", "ip", "fault"]);
    },
  };
}
