import type { AddressInfo } from "node:net";
import type { FastifyInstance } from "fastify";
import { preconditionError, type SojournError } from "../platform/errors.ts";
import type { Endpoint } from "./config.ts";

/**
 * Binds a server to an address and returns the port.
 * @param backlog connections that the kernel keeps until they are taken, all of them at once (listen(2)).
 * @throws SojournError `SOJ_ADDRESS_IN_USE` or `SOJ_ADDRESS_UNUSABLE`, both exit code 3.
 */
export async function listenTcp(
  // biome-ignore lint/suspicious/noExplicitAny: serves instances over any kind of raw server
  app: FastifyInstance<any, any, any, any>,
  endpoint: Endpoint,
  what: string,
  backlog = 511,
): Promise<number> {
  try {
    await app.listen({ host: endpoint.address, port: endpoint.port, backlog });
  } catch (error) {
    await app.close();
    throw cannotListen(error, `${endpoint.address}:${endpoint.port}`, what);
  }
  return (app.server.address() as AddressInfo).port;
}

function cannotListen(error: unknown, address: string, what: string): SojournError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  if (code === "EADDRINUSE") {
    return preconditionError(
      "SOJ_ADDRESS_IN_USE",
      `${address} (${what}) is in use by another process`,
      {
        cause: error,
        hint: `find it with: ss -ltnp 'sport = :${address.split(":")[1]}'`,
      },
    );
  }
  return preconditionError(
    "SOJ_ADDRESS_UNUSABLE",
    `cannot listen on ${address} (${what}): ${code}`,
    {
      cause: error,
      hint: "the address must be configured on this host",
    },
  );
}
