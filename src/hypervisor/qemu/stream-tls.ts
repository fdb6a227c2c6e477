import { isObject } from "./qmp/messages.ts";

type Execute = (command: string, args?: Record<string, unknown>) => Promise<unknown>;

/** The host's own credentials for migration streams. */
export interface StreamTls {
  /**
   * Folder in QEMU's layout: `ca-cert.pem`, `server-cert.pem`, `server-key.pem`, `client-cert.pem`,
   * `client-key.pem`. Read anew for every stream, so that renewed certificates count at once.
   */
  folder: string;
}

/** GnuTLS priority string: TLS 1.3 (RFC 8446) and nothing older. */
const priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
const credentialsId = "stream-credentials";
const admissionId = "stream-admission";

/**
 * The receiving side: TLS with a certificate of our authority, and of its holders only the host `sourceHost`
 * (its subject, RFC 4514, is exactly `CN=NAME`; a host's name needs no escaping there). Null: in clear.
 * Source: QAPI `TlsCredsX509Properties`, `AuthZSimpleProperties`, `MigrationParameters`.
 */
export async function protectIncoming(
  execute: Execute,
  tls: StreamTls | null,
  sourceHost: string,
): Promise<void> {
  if (tls === null) return await setParameters(execute, { "tls-creds": "", "tls-authz": "" });
  await replaceObject(execute, credentials(tls, "server"));
  await replaceObject(execute, {
    "qom-type": "authz-simple",
    id: admissionId,
    identity: `CN=${sourceHost}`,
  });
  await setParameters(execute, { "tls-creds": credentialsId, "tls-authz": admissionId });
}

/** The sending side: the receiver's certificate must be of our authority and name `destinationHost`. */
export async function protectOutgoing(
  execute: Execute,
  tls: StreamTls | null,
  destinationHost: string,
): Promise<void> {
  if (tls === null) return await setParameters(execute, { "tls-creds": "", "tls-hostname": "" });
  await replaceObject(execute, credentials(tls, "client"));
  await setParameters(execute, { "tls-creds": credentialsId, "tls-hostname": destinationHost });
}

function credentials({ folder }: StreamTls, endpoint: "server" | "client") {
  return {
    "qom-type": "tls-creds-x509",
    id: credentialsId,
    dir: folder,
    endpoint,
    "verify-peer": true,
    priority,
  };
}

async function setParameters(execute: Execute, parameters: Record<string, string>): Promise<void> {
  await execute("migrate-set-parameters", parameters);
}

/** An earlier stream of this process, in or out, may have left one of the same id. */
async function replaceObject(
  execute: Execute,
  object: { id: string } & Record<string, unknown>,
): Promise<void> {
  const present = await execute("qom-list", { path: "/objects" });
  const isThere = (Array.isArray(present) ? present : [])
    .filter(isObject)
    .some(({ name }) => name === object.id);
  if (isThere) await execute("object-del", { id: object.id });
  await execute("object-add", object);
}
