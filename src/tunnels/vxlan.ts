import { foreignObject } from "./errors.ts";
import { endMac, neighbourProtocol, networkIdentifier } from "./identity.ts";
import type { Link } from "./inspect.ts";
import type { Recipe, RecipeContext } from "./recipe.ts";
import { command, type Run } from "./steps.ts";
import type { TunnelSpec } from "./tunnel.ts";

/** UDP port of VXLAN (RFC 7348, section 5). */
const port = 4789;

/** VXLAN used as a layer 3 link between two hosts: no learning, the peer's MAC is computed. */
export function vxlanRecipe(run: Run): Recipe {
  return {
    kind: "vxlan",
    datapath: "kernel",
    overheadBytes: 50,
    linkKind: "vxlan",
    linkArguments: ({ spec }) => [
      ...["address", endMac(networkIdentifier(spec), spec.localAddress)],
      ...["type", "vxlan", "id", `${networkIdentifier(spec)}`],
      ...["local", spec.localAddress, "remote", spec.remoteAddress],
      ...["dstport", `${port}`, "ttl", "64", "nolearning"],
    ],
    // The device stays down, so it binds no port.
    probeArguments: () => ["type", "vxlan", "id", "1", "dstport", "9"],
    check: (context) => {
      const vni = networkIdentifier(context.spec);
      const other = context.links.find((link) => isSameNetwork(link, context, vni));
      if (other === undefined) return;
      throw foreignObject(`${other.name} is a vxlan device with VNI ${vni} on port ${port}`);
    },
    attach: async (context) => {
      if (context.link !== null && (await hasPeer(run, context))) return [];
      return [{ action: command(run, "ip", ...peerEntry("replace", context)), undo: null }];
    },
    nextHop: (spec) => ({
      address: spec.remoteAddress,
      mac: endMac(networkIdentifier(spec), spec.remoteAddress),
    }),
  };
}

function isSameNetwork(link: Link, { name }: RecipeContext, vni: number): boolean {
  const { id, port: linkPort } = link.info;
  return link.name !== name && link.kind === "vxlan" && id === vni && linkPort === port;
}

function peerMac({ remoteAddress, ...spec }: TunnelSpec): string {
  return endMac(networkIdentifier({ ...spec, remoteAddress }), remoteAddress);
}

function peerEntry(verb: string, { spec, name }: RecipeContext): string[] {
  return [
    ...["neigh", verb, spec.remoteAddress, "lladdr", peerMac(spec), "dev", name],
    ...["nud", "permanent", "protocol", `${neighbourProtocol}`],
  ];
}

async function hasPeer(run: Run, { spec, name }: RecipeContext): Promise<boolean> {
  const { stdout } = await run("ip", ["neigh", "show", spec.remoteAddress, "dev", name]);
  return stdout.includes(`lladdr ${peerMac(spec)} PERMANENT`);
}
