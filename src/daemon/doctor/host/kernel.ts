import { CommandError, runCommand } from "../../../platform/command.ts";
import { createTunnels } from "../../../tunnels/tunnels.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, type Topic, warn } from "../check.ts";

/** What the kernel can do, found out by asking it; devices that are made for it are removed again. */
export async function checkTunnels(): Promise<DoctorCheck[]> {
  const support = await createTunnels().support();
  const checks = support.map(({ kind, datapath, supported, reason }) => {
    const topic: Topic = {
      id: "tunnel-datapath",
      subject: `${kind}-${datapath}`,
      name: `tunnel ${kind} (${datapath})`,
      why: "A guest's traffic travels between its home and where it is in a tunnel of such a kind.",
    };
    if (supported) return ok(topic, "works on this kernel");
    const missing = reason ?? "not supported";
    const mend = datapath === "kernel" ? { mend: `modprobe ${kind}` } : {};
    return warn(topic, missing, { ...mend, hint: "another kind is chosen instead" });
  });
  if (support.some((one) => one.supported)) return checks;
  const none: Topic = {
    id: "tunnels",
    why: "Without a tunnel no guest can keep its address anywhere else.",
  };
  const hint = "use a kernel with ipip or vxlan, or with tc-BPF";
  return [...checks, fail(none, "this kernel can make none of them", { hint })];
}

interface Facility {
  topic: Topic;
  /** A table that needs it; loaded with `--check`, which the kernel refuses or takes back. */
  chain: string;
  module: string;
}

const facilities: readonly Facility[] = [
  {
    topic: {
      id: "kernel-nft-dup",
      why: "While a guest is about to switch, the source sends copies of its packets to the destination with it.",
    },
    chain: 'type filter hook postrouting priority 150; dup to 192.0.2.1 device "lo";',
    module: "nft_dup_ipv4",
  },
  {
    topic: {
      id: "kernel-conntrack",
      why: "A guest's flows are counted, and told apart, by the kernel's connection tracking.",
    },
    chain: "type filter hook forward priority 0; ct state established accept;",
    module: "nft_ct",
  },
];

/** nftables with what Sojourn's rules use. Nothing is loaded. */
export async function checkNftables(): Promise<DoctorCheck[]> {
  return Promise.all(facilities.map(checkFacility));
}

async function checkFacility({ topic, chain, module }: Facility): Promise<DoctorCheck> {
  const table = `table ip sojourn_check {\nchain check {\n${chain}\n}\n}\n`;
  try {
    await runCommand("nft", ["--check", table]);
    return ok(topic, "works on this kernel");
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const said = error.stderr.trim().split("\n")[0] ?? "refused";
    return fail(topic, `the kernel refuses it: ${said}`.slice(0, 300), {
      mend: `modprobe ${module}`,
    });
  }
}

const namespaces: Topic = {
  id: "kernel-namespaces",
  why: "Before a guest moves, packets are sent through the whole path from and to network namespaces made for it.",
};

/** One is made for a process that ends at once. */
export async function checkNamespaces(): Promise<DoctorCheck> {
  try {
    await runCommand("unshare", ["--net", "--", "/bin/true"]);
    return ok(namespaces, "can be made");
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return fail(namespaces, error.message.slice(0, 300), {
      hint: "use a kernel with CONFIG_NET_NS, or raise user.max_net_namespaces",
      mend: "sysctl -w user.max_net_namespaces=4096",
    });
  }
}
