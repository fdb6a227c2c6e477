import { readFile } from "node:fs/promises";
import { createQemuHypervisor } from "../../hypervisor/qemu/qemu-hypervisor.ts";
import { findTool } from "../../platform/command.ts";
import { createLogger } from "../../platform/log.ts";
import { createTunnels } from "../../tunnels/tunnels.ts";
import type { DoctorCheck } from "../services.ts";
import { attempt, fail, ok, warn } from "./check.ts";

const tools = ["ip", "tc", "bridge", "nft", "openssl", "flock", "ping"];

/** What the machine itself must bring: tools, kernel features, forwarding, QEMU. Needs no configuration. */
export async function checkHost(runDir: string): Promise<DoctorCheck[]> {
  return [
    checkRoot(),
    ...(await Promise.all(tools.map((tool) => attempt(tool, async () => checkTool(tool))))).flat(),
    ...(await attempt("ip_forward", checkForwarding)),
    ...(await attempt("rp_filter", checkReversePathFilter)),
    ...(await attempt("tunnels", checkTunnels)),
    ...(await attempt("qemu", () => checkQemu(runDir))),
  ];
}

function checkRoot(): DoctorCheck {
  const uid = process.getuid?.();
  if (uid === 0) return ok("root", "runs as root");
  return fail("root", `runs as user ${uid}`, "run it as root: routes and taps need it");
}

function checkTool(tool: string): DoctorCheck {
  return ok(tool, findTool(tool));
}

/** Documentation/networking/ip-sysctl.rst: ip_forward. */
async function checkForwarding(): Promise<DoctorCheck> {
  const value = await readSysctl("net/ipv4/ip_forward");
  if (value === "1") return ok("ip_forward", "this host forwards");
  return fail("ip_forward", "this host does not forward", "sysctl -w net.ipv4.ip_forward=1");
}

/** The larger of `all` and the interface's own value counts; our interfaces get 2 (loose). */
async function checkReversePathFilter(): Promise<DoctorCheck> {
  const value = await readSysctl("net/ipv4/conf/all/rp_filter");
  if (value !== "1") return ok("rp_filter", `conf.all.rp_filter is ${value}`);
  return warn(
    "rp_filter",
    "conf.all.rp_filter is 1 (strict); Sojourn loosens its own interfaces only",
    "a guest's traffic that arrives elsewhere needs rp_filter 2 there",
  );
}

async function checkTunnels(): Promise<DoctorCheck[]> {
  const support = await createTunnels().support();
  const checks = support.map(({ kind, datapath, supported, reason }) => {
    const name = `tunnel ${kind} (${datapath})`;
    if (supported) return ok(name, "works on this kernel");
    return warn(name, reason ?? "not supported", "another kind is chosen instead");
  });
  if (support.some((one) => one.supported)) return checks;
  return [...checks, fail("tunnels", "this kernel can make none of them", "use another kernel")];
}

async function checkQemu(runDir: string): Promise<DoctorCheck> {
  const hypervisor = createQemuHypervisor({ runDir, logger: createLogger("silent") });
  const { version, accelerator } = await hypervisor.capabilities();
  if (accelerator === "kvm") return ok("qemu", `QEMU ${version} with KVM`);
  return warn("qemu", `QEMU ${version}, software emulation`, "KVM makes guests much faster");
}

async function readSysctl(path: string): Promise<string> {
  return (await readFile(`/proc/sys/${path}`, "utf8")).trim();
}
