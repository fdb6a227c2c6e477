/**
 * Small program: one call of the peer API as this host makes it, with its own certificate.
 * usage: peer-call PEER ADDRESS PORT PROCEDURE JSON; prints the answer, or the error as `{ "error": CODE }`.
 */

import { createPeerClient } from "../../../../src/daemon/peer-client.ts";
import { procedures } from "../../../../src/daemon/peer-procedures.ts";
import { asSojournError } from "../../../../src/platform/errors.ts";

const [peer = "", address = "", port = "", procedure = "", body = "{}"] = process.argv.slice(2);
using client = await createPeerClient({
  peer,
  address: { address, port: Number(port) },
  tls: {
    caPath: "/etc/sojourn/pki/ca.crt",
    certificatePath: "/etc/sojourn/pki/host.crt",
    keyPath: "/etc/sojourn/pki/host.key",
  },
  procedures,
});
const answer = await client
  .call(procedure as keyof typeof procedures, JSON.parse(body))
  .catch((error: unknown) => ({ error: asSojournError(error).code }));
console.log(JSON.stringify(answer));
