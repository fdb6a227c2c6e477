import { X509Certificate } from "node:crypto";
import { wallClockMs } from "../../../platform/clock.ts";
import { counted } from "../../../platform/counted.ts";
import { SojournError } from "../../../platform/errors.ts";
import { readApiTls } from "../../access/tls-files.ts";
import { isExpired } from "../../access/tokens.ts";
import { readTokensFile } from "../../access/tokens-file.ts";
import type { DaemonConfig } from "../../config.ts";
import type { DoctorCheck } from "../../services.ts";
import { fail, ok, type Topic, warn } from "../check.ts";

const certificateTopic: Topic = {
  id: "api-certificate",
  why: "Without it the daemon does not start; with one that has ended, no client trusts the API.",
};

const callersTopic: Topic = {
  id: "api-callers",
  why: "The API on TCP answers to tokens and client certificates that it knows, and to nobody else.",
};

const warnMs = 30 * 86_400_000;

/** The API on TCP, when one is configured: its certificate, and who may use it. */
export async function checkApiAccess({ api }: Pick<DaemonConfig, "api">): Promise<DoctorCheck[]> {
  if (api.listen === null) return [];
  return [await checkCertificate(api), await checkCallers(api)];
}

async function checkCertificate(api: DaemonConfig["api"]): Promise<DoctorCheck> {
  const tls = await readApiTls(api).catch(knownFault);
  if (tls instanceof SojournError) {
    return fail(certificateTopic, tls.message, { hint: tls.hint });
  }
  const { validTo } = new X509Certificate(tls.cert as Buffer);
  const leftMs = Date.parse(validTo) - wallClockMs();
  const hint = `renew ${api.certificatePath}; the running daemon takes it by itself`;
  if (leftMs <= 0) return fail(certificateTopic, `ended on ${validTo}`, { hint });
  if (leftMs < warnMs) return warn(certificateTopic, `ends on ${validTo}`, { hint });
  return ok(certificateTopic, `ends on ${validTo}`);
}

async function checkCallers(api: DaemonConfig["api"]): Promise<DoctorCheck> {
  const tokens = await readTokensFile(api.tokensPath).catch(knownFault);
  if (tokens instanceof SojournError) {
    const isUnsafe = tokens.code === "SOJ_TOKENS_UNSAFE" && tokens.hint !== null;
    const mend = isUnsafe ? { mend: tokens.hint ?? "" } : {};
    return fail(callersTopic, tokens.message, { hint: tokens.hint, ...mend });
  }
  const ended = tokens.filter((token) => isExpired(token, wallClockMs()));
  const valid = tokens.length - ended.length;
  const found = `${counted(valid, "token")}, ${counted(api.clients.size, "client with a certificate", "clients with certificates")}`;
  if (valid + api.clients.size === 0) {
    return warn(callersTopic, "nobody can use the API on TCP", {
      mend: "sojourn token create NAME --role ROLE",
    });
  }
  if (ended.length === 0) return ok(callersTopic, found);
  return warn(
    callersTopic,
    `${found}; ${counted(ended.length, "token has", "tokens have")} ended`,
    {
      mend: ended.map(({ name }) => `sojourn token revoke ${name}`),
    },
  );
}

function knownFault(error: unknown): SojournError {
  if (error instanceof SojournError) return error;
  throw error;
}
