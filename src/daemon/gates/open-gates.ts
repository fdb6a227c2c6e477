import { readFile, stat } from "node:fs/promises";
import { preconditionError, SojournError } from "../../platform/errors.ts";
import { HookSender } from "../hooks/send.ts";
import { keyOfSecret } from "../hooks/signature.ts";
import type { TargetPolicy } from "../hooks/targets.ts";
import { askByHttp } from "./ask-by-http.ts";
import { askProgram } from "./ask-program.ts";
import type { GateSection } from "./config.ts";
import type { ConfiguredGate } from "./configured-gate.ts";
import { type GateObserver, type HostGate, HostGates } from "./host-gates.ts";

/** Questions under way at the same time; a sender of their own, so that no webhook keeps a migration waiting. */
const concurrency = 64;

/**
 * The gates of a configuration, with the secrets and certificates it names.
 * @throws SojournError `SOJ_GATE_INVALID` for a secret or certificate that cannot be read or that others can read, and a
 * target that the policy refuses: a gate that cannot be asked is a fault of the configuration, not of a migration.
 */
export async function openGates(
  sections: readonly GateSection[],
  policy: TargetPolicy,
  observe?: GateObserver,
): Promise<HostGates> {
  const sender = new HookSender({ policy, concurrency });
  const open = (section: GateSection) =>
    openGate(section, sender, policy).catch((cause: unknown) => {
      throw invalid(section, cause);
    });
  return new HostGates(await Promise.all(sections.map(open)), observe);
}

async function openGate(
  section: GateSection,
  sender: HookSender,
  policy: TargetPolicy,
): Promise<HostGate> {
  const { name, points, guests, deadline_ms: deadlineMs, on_no_answer: onNoAnswer } = section;
  return {
    name,
    points,
    guests,
    deadlineMs,
    onNoAnswer,
    ask: await askerOf(section, sender, policy),
  };
}

async function askerOf(
  { url, exec, secret_file, ca }: GateSection,
  sender: HookSender,
  policy: TargetPolicy,
): Promise<ConfiguredGate["ask"]> {
  if (exec !== undefined) return (...asked) => askProgram(exec, ...asked);
  if (url === undefined || secret_file === undefined) throw new Error("neither url nor exec");
  policy.checkUrl(url);
  const key = keyOfSecret(await readSecret(secret_file));
  const gate = { url, key, ...(ca === undefined ? {} : { ca: await readFile(ca, "utf8") }) };
  return (...asked) => askByHttp(sender, gate, ...asked);
}

/** Only for its owner's eyes. */
async function readSecret(path: string): Promise<string> {
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) throw new Error(`${path} can be read by others: chmod 0600 ${path}`);
  return await readFile(path, "utf8");
}

function invalid({ name }: GateSection, cause: unknown): SojournError {
  const hint = cause instanceof SojournError ? cause.hint : null;
  return preconditionError("SOJ_GATE_INVALID", `[[gates]] ${name}: ${(cause as Error).message}`, {
    cause,
    hint: hint ?? "mend it in sojourn.toml, or take the gate out",
  });
}
