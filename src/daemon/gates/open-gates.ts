import { preconditionError, SojournError } from "../../platform/errors.ts";
import type { Logger } from "../../platform/log.ts";
import { checkProgram } from "../hooks/program.ts";
import { readCertificates, readSecretFile } from "../hooks/secret-file.ts";
import { HookSender } from "../hooks/send.ts";
import type { TargetPolicy } from "../hooks/targets.ts";
import { askByHttp, type HttpGate } from "./ask-by-http.ts";
import { askProgram } from "./ask-program.ts";
import type { GateSection } from "./config.ts";
import type { ConfiguredGate } from "./configured-gate.ts";
import { HostGates } from "./host-gates.ts";
import { NoAnswer } from "./no-answer.ts";

/** Questions under way at the same time; a sender of their own, so that no webhook keeps a migration waiting. */
const concurrency = 64;

export interface GateOptions {
  policy: TargetPolicy;
  logger: Logger;
}

/**
 * The gates of a configuration. One that cannot be asked as it is configured gets an alarm in the log and answers
 * nothing: the daemon starts all the same, since a guest may wait for it.
 */
export function openGates(
  sections: readonly GateSection[],
  { policy, logger }: GateOptions,
): HostGates {
  const sender = new HookSender({ policy, concurrency });
  const gates = sections.map((section) => {
    checkGate(section, policy).catch((error: unknown) =>
      logger.error({ gate: section.name, err: error }, "alarm: a gate cannot be asked"),
    );
    const { name, points, guests, deadline_ms, on_no_answer } = section;
    const fixed = { name, points, guests, deadlineMs: deadline_ms, onNoAnswer: on_no_answer };
    return { ...fixed, ask: askerOf(section, sender) };
  });
  return new HostGates(gates);
}

/**
 * Whether a gate can be asked: its program, or its secret, certificates and target. Asks nobody.
 * @throws SojournError `SOJ_GATE_INVALID`.
 */
export async function checkGate(section: GateSection, policy: TargetPolicy): Promise<void> {
  const { name, exec, url } = section;
  try {
    if (exec !== undefined) return await checkProgram(exec);
    policy.checkUrl(url ?? "");
    await httpGate(section);
  } catch (cause) {
    const hint = cause instanceof SojournError ? cause.hint : null;
    throw preconditionError("SOJ_GATE_INVALID", `gate ${name}: ${(cause as Error).message}`, {
      cause,
      hint: hint ?? "mend it, or its [[gates]] in sojourn.toml",
    });
  }
}

function askerOf(section: GateSection, sender: HookSender): ConfiguredGate["ask"] {
  const { exec } = section;
  if (exec !== undefined) return (...asked) => askProgram(exec, ...asked);
  return async (...asked) => {
    // Read each time: a secret can be replaced while the daemon runs.
    const gate = await httpGate(section).catch((cause: unknown) => {
      throw new NoAnswer((cause as Error).message, { cause });
    });
    return await askByHttp(sender, gate, ...asked);
  };
}

async function httpGate({ url, secret_file, ca }: GateSection): Promise<HttpGate> {
  if (url === undefined || secret_file === undefined) throw new Error("neither url nor exec");
  const key = await readSecretFile(secret_file);
  return { url, key, ...(ca === undefined ? {} : { ca: await readCertificates(ca) }) };
}
