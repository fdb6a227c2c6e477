import { runCommand } from "../platform/command.ts";
import { AsyncLock } from "../platform/lock.ts";
import type { ObjectOptions } from "./bpf/install.ts";
import { createDriver } from "./driver.ts";
import { unsupported } from "./errors.ts";
import { checkSpec, tunnelName } from "./identity.ts";
import { readLinks } from "./inspect.ts";
import { ipipBpfRecipe } from "./ipip-bpf.ts";
import { ipipKernelRecipe } from "./ipip-kernel.ts";
import { removeProbeLeftovers } from "./probe.ts";
import { listTunnels, removeTunnel } from "./removal.ts";
import type { Run } from "./steps.ts";
import type { TunnelDatapath, TunnelDriver, TunnelKind, TunnelSpec, Tunnels } from "./tunnel.ts";
import { vxlanRecipe } from "./vxlan.ts";

export interface TunnelsOptions extends ObjectOptions {
  /** Runs every command; by default `runCommand` in this process's network namespace. */
  run?: Run;
  /** Only this data path for `ipip`; by default the kernel's device, then BPF. */
  ipipDatapath?: TunnelDatapath;
}

type Support = Awaited<ReturnType<TunnelDriver["probe"]>>;

/** This host's tunnels. Changes are made one at a time; they share the underlay's qdisc. */
export function createTunnels(options: TunnelsOptions = {}): Tunnels {
  const run = options.run ?? runCommand;
  const { ipipDatapath } = options;
  // In order of preference for `auto`.
  const recipes = [ipipKernelRecipe(), ipipBpfRecipe(run, options), vxlanRecipe(run)].filter(
    ({ kind, datapath }) => kind !== "ipip" || (ipipDatapath ?? datapath) === datapath,
  );
  const drivers = recipes.map((recipe) => createDriver(run, recipe));
  // To ask the kernel takes longer than to make a tunnel: a yes holds for tunnels until one cannot be made, or a no.
  const proven = new Set<TunnelDriver>();
  const lock = new AsyncLock();
  const exclusively = <Result>(task: () => Promise<Result>) => lock.run(task);

  return {
    // Asking the kernel makes devices too: one question at a time.
    choose: (kind) =>
      exclusively(async () => {
        const driver = await firstSupported(drivers, kind, ask);
        return { kind: driver.kind, datapath: driver.datapath };
      }),
    plan: (spec) => exclusively(async () => (await driverFor(spec)).plan(spec)),
    describe: (spec) => exclusively(async () => (await driverFor(spec)).describe(spec)),
    ensure: (spec) =>
      exclusively(async () => {
        const driver = await driverFor(spec);
        try {
          return await driver.ensure(spec);
        } catch (error) {
          proven.delete(driver);
          throw error;
        }
      }),
    remove: (spec) => exclusively(() => removeTunnel(run, tunnelName(checkSpec(spec)))),
    prepareUnderlay: (localAddress, remoteAddress) =>
      exclusively(async () => {
        const driver = await firstSupported(drivers, "ipip", ask);
        await driver.prepareUnderlay(localAddress, remoteAddress);
      }),
    list: () => listTunnels(run),
    removeByName: (name) => exclusively(() => removeTunnel(run, name)),
    removeProbeLeftovers: () => exclusively(() => removeProbeLeftovers(run)),
    support: () =>
      exclusively(async () => {
        const answers = [];
        for (const driver of drivers) {
          const { kind, datapath } = driver;
          answers.push({ kind, datapath, ...(await ask(driver)) });
        }
        return answers;
      }),
  };

  /** A tunnel that is there keeps its data path, even if a better one has become possible. */
  async function driverFor(spec: TunnelSpec): Promise<TunnelDriver> {
    const name = tunnelName(checkSpec(spec));
    const link = (await readLinks(run)).find((candidate) => candidate.name === name);
    const present = recipes.findIndex(
      ({ kind, linkKind }) => kind === spec.kind && linkKind === link?.kind,
    );
    const known = drivers[present] ?? drivers.find((driver) => isProven(driver, spec.kind));
    return known ?? (await firstSupported(drivers, spec.kind, ask));
  }

  async function ask(driver: TunnelDriver): Promise<Support> {
    const answer = await driver.probe();
    if (answer.supported) proven.add(driver);
    else proven.delete(driver);
    return answer;
  }

  function isProven(driver: TunnelDriver, kind: TunnelKind): boolean {
    return driver.kind === kind && proven.has(driver);
  }
}

/** @throws SojournError `SOJ_TUNNEL_UNSUPPORTED` naming each reason. */
async function firstSupported(
  drivers: readonly TunnelDriver[],
  kind: TunnelKind | "auto",
  ask: (driver: TunnelDriver) => Promise<Support>,
): Promise<TunnelDriver> {
  const reasons: string[] = [];
  for (const driver of drivers) {
    if (kind !== "auto" && driver.kind !== kind) continue;
    const { supported, reason } = await ask(driver);
    if (supported) return driver;
    reasons.push(`${driver.kind} (${driver.datapath}): ${reason ?? "unknown reason"}`);
  }
  throw unsupported(kind, reasons);
}
