import fastify, { type FastifyInstance } from "fastify";
import type { Logger } from "../platform/log.ts";
import { frameworkErrors, maxBodyBytes, replyWithErrorRecords } from "./http-errors.ts";
import { listenOnSocket } from "./local-socket.ts";
import { addGuestRoutes } from "./routes/guests.ts";
import { addMigrationRoutes } from "./routes/migrations.ts";
import type { DaemonServices } from "./services.ts";

export interface LocalApiOptions {
  socketPath: string;
  hostName: string;
  /** Asked at every request; throws while the daemon is starting. */
  services: () => DaemonServices;
  logger: Logger;
}

/**
 * Serves the local API on a unix socket; disposing stops it and removes the socket.
 * @throws SojournError `SOJ_ALREADY_RUNNING`, `SOJ_SOCKET_PATH_OCCUPIED`.
 */
export async function startLocalApi(options: LocalApiOptions): Promise<AsyncDisposable> {
  const app = createLocalApi(options);
  await listenOnSocket(app, options.socketPath);
  return { [Symbol.asyncDispose]: () => app.close() };
}

function createLocalApi({ hostName, services, logger }: LocalApiOptions): FastifyInstance {
  const app = fastify({
    ...{ bodyLimit: maxBodyBytes, forceCloseConnections: true, logger: false },
    frameworkErrors,
  });
  replyWithErrorRecords(app, logger);
  app.get("/healthz", async () => {
    services();
    return { status: "ok", host: hostName, pid: process.pid };
  });
  app.get("/v1/doctor", async () => services().doctor());
  addGuestRoutes(app, services);
  addMigrationRoutes(app, services);
  return app;
}
