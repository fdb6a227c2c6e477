import { addClsact, addFilter, deleteFilter, isAttached } from "./bpf/filters.ts";
import { installObject, type ObjectOptions, objectCopy, removeObject } from "./bpf/install.ts";
import { noUnderlay, tunnelFailed } from "./errors.ts";
import { idlePeerName } from "./identity.ts";
import { classifiedDevices, readLinks } from "./inspect.ts";
import { type Recipe, type RecipeContext, refuseSameEndpoints } from "./recipe.ts";
import { command, performSteps, type Run, type Step } from "./steps.ts";

/** IP in IP (RFC 2003) with BPF programs on a veth and on the underlay's ingress; see bpf/ipip.bpf.c. */
export function ipipBpfRecipe(run: Run, options: ObjectOptions): Recipe {
  return {
    kind: "ipip",
    datapath: "bpf",
    overheadBytes: 20,
    linkKind: "veth",
    linkArguments: ({ spec, underlay, mtu }) => [
      ...["address", underlay.mac ?? "", "type", "veth"],
      ...["peer", "name", idlePeerName(spec), "mtu", `${mtu}`],
    ],
    probeArguments: (peer) => ["type", "veth", "peer", "name", peer],
    probeFurther: (name) => loadForProbe(run, options, name),
    check: (context) => {
      refuseSameEndpoints(context, "ipip");
      const { underlay } = context;
      if (underlay.type === "ether") return;
      throw noUnderlay(`${underlay.name} is of type ${underlay.type}; the BPF path needs Ethernet`);
    },
    attach: (context) => attach(run, options, context),
    prepareUnderlay: async ({ name }) => {
      if (!(await classifiedDevices(run)).includes(name)) await addClsact(run, name).perform();
    },
    nextHop: () => null,
  };
}

async function attach(run: Run, options: ObjectOptions, context: RecipeContext): Promise<Step[]> {
  const { name, underlay, spec } = context;
  const classified = await classifiedDevices(run);
  const outward = { device: name, side: "egress", name } as const;
  const inward = { device: underlay.name, side: "ingress", name } as const;
  const outwardThere = context.link !== null && (await isAttached(run, outward));
  // Asked in any case, for the refusal of foreign filters; one of an earlier device is removed beforehand.
  const inwardThere = (await isAttached(run, inward)) && context.link !== null;
  const steps: Step[] = [];
  const peer = idlePeerName(spec);
  if (context.link === null || !context.links.some((link) => link.name === peer && link.up)) {
    const start = command(run, "ip", "link", "set", "dev", peer, ...peerState);
    steps.push({ action: start, undo: null });
  }
  if (outwardThere && inwardThere) return steps;

  const install = installObject(options, name, () => configOf(run, context));
  const copy = objectCopy(options, name);
  steps.push({ action: install, undo: removeObject(options, name) });
  if (!classified.includes(name)) steps.push({ action: addClsact(run, name), undo: null });
  if (!outwardThere) steps.push({ action: addFilter(run, outward, copy), undo: null });
  if (!classified.includes(underlay.name)) {
    steps.push({ action: addClsact(run, underlay.name), undo: null });
  }
  if (!inwardThere) {
    steps.push({ action: addFilter(run, inward, copy), undo: deleteFilter(run, inward) });
  }
  steps.push({ action: removeObject(options, name), undo: null });
  return steps;
}

/** The idle end only gives the device its carrier. */
const peerState = ["arp", "off", "addrgenmode", "none", "up"];

async function configOf(run: Run, { spec, name, underlay }: RecipeContext) {
  const link = (await readLinks(run)).find((candidate) => candidate.name === name);
  if (link?.mac == null) throw tunnelFailed(`tunnel ${name}`, "its device is gone");
  return {
    localAddress: spec.localAddress,
    remoteAddress: spec.remoteAddress,
    underlayIndex: underlay.index,
    tunnelIndex: link.index,
    tunnelMac: link.mac,
  };
}

async function loadForProbe(run: Run, options: ObjectOptions, name: string): Promise<void> {
  const config = {
    localAddress: "127.83.0.1",
    remoteAddress: "127.83.0.2",
    ...{ underlayIndex: 1, tunnelIndex: 1, tunnelMac: "02:00:00:00:00:00" },
  };
  const remove = removeObject(options, name);
  const copy = objectCopy(options, name);
  const programs = (["egress", "ingress"] as const).map((side) =>
    addFilter(run, { device: name, side, name }, copy),
  );
  await performSteps("BPF probe", [
    { action: installObject(options, name, async () => config), undo: remove },
    { action: addClsact(run, name), undo: null },
    ...programs.map((action) => ({ action, undo: null })),
    { action: remove, undo: null },
  ]);
}
