import { dummyAddressWords } from "../platform/dummy-address.ts";
import { noUnderlay } from "./errors.ts";
import { checkSpec, linkGroup, tunnelName } from "./identity.ts";
import { type Link, readLinks } from "./inspect.ts";
import { markText, readMark } from "./mark.ts";
import { probeKernel } from "./probe.ts";
import type { Recipe, RecipeContext } from "./recipe.ts";
import { refuseForeign, removalSteps, removeTunnel } from "./removal.ts";
import { type Action, command, performSteps, planLines, type Run, type Step } from "./steps.ts";
import type { TunnelDriver, TunnelInterface, TunnelSpec } from "./tunnel.ts";
import { findUnderlay, innerMtu } from "./underlay.ts";

/** The driver of one recipe: reads the kernel, makes only what is missing. */
export function createDriver(run: Run, recipe: Recipe): TunnelDriver {
  return {
    kind: recipe.kind,
    datapath: recipe.datapath,
    probe: () => probeKernel(run, recipe),
    plan: async (spec) => {
      const { leftovers, steps } = await missingSteps(run, recipe, spec);
      return planLines([...leftovers, ...steps]);
    },
    describe: async (spec) => (await missingSteps(run, recipe, spec)).tunnel,
    ensure: async (spec) => {
      const what = `tunnel ${spec.kind} to ${spec.remoteAddress}`;
      const found = await missingSteps(run, recipe, spec);
      await performSteps(what, found.leftovers);
      const isAsFound = found.leftovers.length === 0;
      const { steps, tunnel } = isAsFound ? found : await missingSteps(run, recipe, spec);
      await performSteps(what, steps);
      return tunnel;
    },
    remove: (spec) => removeTunnel(run, tunnelName(checkSpec(spec))),
    prepareUnderlay: async (localAddress, remoteAddress) => {
      const ends = { localAddress, remoteAddress };
      const underlay = await findUnderlay(run, ends, await readLinks(run));
      await recipe.prepareUnderlay?.(underlay);
    },
  };
}

/** The steps from what the kernel has to what the tunnel needs; none when all is there. `leftovers` go first. */
async function missingSteps(
  run: Run,
  recipe: Recipe,
  spec: TunnelSpec,
): Promise<{ leftovers: Step[]; steps: Step[]; tunnel: TunnelInterface }> {
  const name = tunnelName(checkSpec(spec));
  const links = await readLinks(run);
  const underlay = await findUnderlay(run, spec, links);
  const mtu = innerMtu(underlay, recipe.overheadBytes);
  const found = links.find((link) => link.name === name) ?? null;
  if (found !== null) refuseForeign(found);
  const link = found !== null && fits(found, recipe, underlay) ? found : null;
  const context: RecipeContext = { spec, name, underlay, mtu, links, link };
  recipe.check?.(context);

  const leftovers = link === null ? await removalSteps(run, name) : [];
  const steps = [
    ...(link === null ? createSteps(run, recipe, context) : []),
    ...(await settingSteps(run, recipe, context)),
    ...((await recipe.attach?.(context)) ?? []),
    ...(link?.up ? [] : [{ action: setLink(run, name, "up"), undo: null }]),
  ];
  const { datapath } = recipe;
  const nextHop = recipe.nextHop(spec);
  const tunnel: TunnelInterface = {
    ...{ spec, interfaceName: name, datapath, mtu },
    ...{ nextHop: nextHop?.address ?? null, nextHopMac: nextHop?.mac ?? null },
  };
  return { leftovers: leftovers.map((action) => ({ action, undo: null })), steps, tunnel };
}

/** A device of ours that only needs settings; any other difference means making it anew. */
function fits(link: Link, recipe: Recipe, underlay: Link): boolean {
  const mark = readMark(link);
  if (mark === null || link.kind !== recipe.linkKind) return false;
  return mark.underlay === underlay.name && mark.underlayIndex === underlay.index;
}

function createSteps(run: Run, recipe: Recipe, context: RecipeContext): Step[] {
  const { name, mtu, underlay } = context;
  if (recipe.linkKind === "veth" && underlay.mac === null) {
    throw noUnderlay(`${underlay.name} has no MAC address`);
  }
  const common = ["name", name, "group", `${linkGroup}`, "mtu", `${mtu}`];
  return [
    {
      action: command(run, "ip", "link", "add", ...common, ...recipe.linkArguments(context)),
      undo: command(run, "ip", "link", "del", "dev", name),
    },
  ];
}

/** Settings that every tunnel device has, whatever carries it. */
async function settingSteps(run: Run, recipe: Recipe, context: RecipeContext): Promise<Step[]> {
  const { spec, name, underlay, mtu, link } = context;
  const alias = markText(spec, { underlay: underlay.name, underlayIndex: underlay.index });
  const actions: Action[] = [];
  if (link?.alias !== alias) actions.push(setLink(run, name, "alias", alias));
  if (link !== null && link.mtu !== mtu) actions.push(setLink(run, name, "mtu", `${mtu}`));
  if (link?.addressGeneration !== "none") {
    const arp = recipe.linkKind === "veth" ? ["arp", "off"] : [];
    actions.push(setLink(run, name, ...arp, "addrgenmode", "none"));
  }
  if (link === null || !(await hasDummyAddress(run, name))) {
    actions.push(command(run, "ip", "address", "replace", ...dummyAddressWords, "dev", name));
  }
  const wanted = sysctls(name);
  if (link === null || !(await haveValues(run, wanted))) {
    actions.push(command(run, "sysctl", "-q", "-w", ...wanted));
  }
  return actions.map((action) => ({ action, undo: null }));
}

/** With it, what comes out of a tunnel and goes back into it, as in the switchover of a guest that returns home, passes. */
async function hasDummyAddress(run: Run, name: string): Promise<boolean> {
  const { stdout } = await run("ip", ["-o", "-4", "address", "show", "dev", name]);
  return stdout.includes(` ${dummyAddressWords[0]} `);
}

/**
 * Loose reverse-path filtering (the larger of `all` and the device counts): replies leave by other devices. Packets from
 * addresses of this host are not dropped as martians: what a program here sends to a guest comes back through the tunnel
 * when the guest is on its way to this host.
 */
function sysctls(name: string): string[] {
  const folder = `net.ipv4.conf.${name}`;
  return [`${folder}.rp_filter=2`, `${folder}.send_redirects=0`, `${folder}.accept_local=1`];
}

async function haveValues(run: Run, wanted: readonly string[]): Promise<boolean> {
  const names = wanted.map((setting) => setting.split("=")[0] ?? "");
  const { stdout } = await run("sysctl", names);
  return stdout.replaceAll(" = ", "=").trim() === wanted.join("\n");
}

function setLink(run: Run, name: string, ...settings: string[]): Action {
  return command(run, "ip", "link", "set", "dev", name, ...settings);
}
