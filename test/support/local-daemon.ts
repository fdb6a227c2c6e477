import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient, type SojournClient } from "../../src/client/index.ts";
import type { ApiOptions } from "../../src/daemon/api/app.ts";
import { startLocalApi } from "../../src/daemon/local-api.ts";
import type { DaemonServices } from "../../src/daemon/services.ts";
import { createLogger } from "../../src/platform/log.ts";

/** The real local API on a socket in a temporary folder, with services of the test's choice. */
export interface LocalDaemon extends AsyncDisposable {
  socketPath: string;
  client: SojournClient;
  /** Drops all connections. */
  stop(): Promise<void>;
  start(): Promise<void>;
  restart(): Promise<void>;
}

export async function startLocalDaemon(
  services: () => DaemonServices,
  change: Pick<ApiOptions, "eventStreams" | "metrics" | "isGuestStanding"> = {},
): Promise<LocalDaemon> {
  const folder = await mkdtemp(join(tmpdir(), "sojourn-api-"));
  const socketPath = join(folder, "sojourn.sock");
  const logger = createLogger("silent");
  const open = () => startLocalApi({ socketPath, hostName: "host-a", services, logger, ...change });
  let api: AsyncDisposable | null = await open();
  const stop = async () => {
    const closing = api;
    api = null;
    await closing?.[Symbol.asyncDispose]();
  };
  const start = async () => {
    api ??= await open();
  };
  return {
    socketPath,
    client: createClient({ socketPath }),
    stop,
    start,
    restart: async () => {
      await stop();
      await start();
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
