import { readFile } from "node:fs/promises";
import { findTool, runCommand } from "../../../platform/command.ts";
import { asSojournError } from "../../../platform/errors.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, skipped, type Topic, warn } from "../check.ts";

const tools = ["ip", "tc", "bridge", "nft", "openssl", "flock", "ping", "ss", "setpriv"];

/** Programs that this host must have. */
export function checkTools(): DoctorCheck[] {
  const why = "The daemon runs it to read or change this host's network.";
  return tools.map((tool) => checkTool(tool, why));
}

/** What sends frames as they are: needed where guests arrive, and on a LAN. */
export function checkFrameSender(): DoctorCheck {
  const taps =
    "The daemon sends a frame with it into the tap of a guest that arrives, without which the guest may lose a packet";
  return checkTool("socat", `${taps}; and it tells a LAN where guests are that have moved.`);
}

function checkTool(tool: string, why: string): DoctorCheck {
  const topic: Topic = { id: "tool", subject: tool, name: tool, why };
  try {
    return ok(topic, findTool(tool));
  } catch (thrown) {
    const { message, hint } = asSojournError(thrown);
    const mend = /^apt-get install \S+/.exec(hint ?? "")?.[0];
    return fail(topic, message, mend === undefined ? { hint } : { hint, mend });
  }
}

const privileges: Topic = {
  id: "root",
  why: "Routes, taps, nftables and BPF programs are the kernel's, which lets nobody else change them.",
};

/** Bits of linux/capability.h. */
const capabilities = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21 };

/** Root, and not one whose capabilities a container has taken away. */
export async function checkPrivileges(): Promise<DoctorCheck> {
  const uid = process.getuid?.();
  if (uid !== 0) {
    return fail(privileges, `runs as user ${uid}`, { hint: "run it as root", mend: "sudo -i" });
  }
  const missing = missingCapabilities(await readFile("/proc/self/status", "utf8"));
  if (missing.length === 0) return ok(privileges, "runs as root");
  const hint = "run it on the host itself, or give the container or unit these capabilities";
  return fail(privileges, `root without ${missing.join(", ")}`, { hint });
}

/** Names of the needed capabilities that a `/proc/PID/status` text lacks; none when it does not tell. Pure. */
export function missingCapabilities(status: string): string[] {
  const text = /^CapEff:\s*([0-9a-f]{1,16})$/m.exec(status)?.[1];
  if (text === undefined) return [];
  const effective = BigInt(`0x${text}`);
  return Object.entries(capabilities)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
}

const clock: Topic = {
  id: "clock-synchronised",
  why: "Phases of two hosts are put on one time line, and certificates begin and end by the clock.",
};

/** Whether something keeps this host's clock right: what systemd or chrony say. */
export async function checkClock(): Promise<DoctorCheck> {
  const synchronised = await askTimedatectl();
  if (synchronised === null) {
    return skipped(clock, "systemd does not tell whether the clock is synchronised");
  }
  if (synchronised) return ok(clock, "kept by a time service");
  return warn(clock, "no time service keeps this host's clock", {
    mend: "apt-get install -y chrony",
    hint: "run chrony or systemd-timesyncd on both hosts",
  });
}

async function askTimedatectl(): Promise<boolean | null> {
  try {
    const args = ["show", "--property=NTPSynchronized", "--value"];
    const { stdout } = await runCommand("timedatectl", args, { timeoutMs: 3_000 });
    return stdout.trim() === "yes" ? true : stdout.trim() === "no" ? false : null;
  } catch {
    return null;
  }
}

const fileLimit: Topic = {
  id: "file-limit",
  why: "Each guest, peer and follower takes descriptors; without any left the daemon can run no program.",
};

/** How many the daemon may open (`/proc/PID/limits`); `pid` is the daemon's, or null when it does not run. */
export async function checkFileLimit(pid: number | null): Promise<DoctorCheck> {
  if (pid === null) return skipped(fileLimit, "no daemon runs");
  const limit = openFiles(await readFile(`/proc/${pid}/limits`, "utf8"));
  if (limit === null) return skipped(fileLimit, `/proc/${pid}/limits does not tell`);
  if (limit >= 4096) return ok(fileLimit, `the daemon may open ${limit} files`);
  const folder = "/etc/systemd/system/sojourn.service.d";
  return warn(fileLimit, `the daemon may open ${limit} files only`, {
    mend: [
      `mkdir -p ${folder}`,
      `printf '[Service]\\nLimitNOFILE=65536\\n' > ${folder}/limits.conf`,
      "systemctl daemon-reload && systemctl restart sojourn",
    ],
    hint: "raise LimitNOFILE in the daemon's unit; guests go on meanwhile",
  });
}

/** The soft limit of open files; null when the text does not tell. Pure. */
export function openFiles(limits: string): number | null {
  const soft = /^Max open files\s+(\d{1,15}|unlimited)\s/m.exec(limits)?.[1];
  if (soft === undefined) return null;
  return soft === "unlimited" ? Number.MAX_SAFE_INTEGER : Number(soft);
}
