import { readFileSync } from "node:fs";
import { preconditionError, usageError } from "../platform/errors.ts";
import type { ClientOptions } from "./connection.ts";

/** Variables that name another host's daemon, and who asks it. Values but the first are paths of files. */
export const environmentVariables = {
  host: "SOJOURN_HOST",
  tokenFile: "SOJOURN_TOKEN_FILE",
  caFile: "SOJOURN_CA_FILE",
  certFile: "SOJOURN_CERT_FILE",
  keyFile: "SOJOURN_KEY_FILE",
} as const;

/**
 * The daemon that the environment names; none of these options when it names none, which is the local one.
 * @throws SojournError `SOJ_FILE_UNREADABLE` naming a file and its option, `SOJ_USAGE` for half of a client certificate.
 */
export function environmentOptions(env: NodeJS.ProcessEnv): ClientOptions {
  const variables = environmentVariables;
  const url = env[variables.host];
  if (!url) return {};
  const contentOf = (variable: string) => {
    const path = env[variable];
    return path ? readText(path, variable) : null;
  };
  const ca = contentOf(variables.caFile);
  const cert = contentOf(variables.certFile);
  const key = contentOf(variables.keyFile);
  if ((cert === null) !== (key === null)) {
    throw usageError("a client certificate comes with its key", "--cert-file and --key-file");
  }
  const tls = {
    ...(ca === null ? {} : { ca }),
    ...(cert === null || key === null ? {} : { cert, key }),
  };
  const tokenPath = env[variables.tokenFile];
  if (!tokenPath) return { url, tls };
  readToken(tokenPath);
  // Read again at every request: a long command goes on when the token is exchanged.
  return { url, tls, token: () => readToken(tokenPath) };
}

function readToken(path: string): string {
  const token = readText(path, environmentVariables.tokenFile).trim();
  if (/^[\x21-\x7e]{1,500}$/.test(token)) return token;
  throw usageError(`${path} does not hold one token`, "sojourn token create NAME > FILE");
}

function readText(path: string, variable: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw preconditionError("SOJ_FILE_UNREADABLE", `cannot read ${path}: ${code}`, {
      cause,
      hint: `${optionOf(variable)} names it, or the variable ${variable}`,
    });
  }
}

/** `--token-file` of `SOJOURN_TOKEN_FILE`. */
function optionOf(variable: string): string {
  return variable
    .replace(/^SOJOURN_/, "--")
    .toLowerCase()
    .replaceAll("_", "-");
}
