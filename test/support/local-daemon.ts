import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiOptions } from "../../src/daemon/api/app.ts";
import { createDaemonClient, type DaemonClient } from "../../src/daemon/client.ts";
import { startLocalApi } from "../../src/daemon/local-api.ts";
import type { DaemonServices } from "../../src/daemon/services.ts";
import { createLogger } from "../../src/platform/log.ts";

/** The real local API on a socket in a temporary folder, with services of the test's choice. */
export interface LocalDaemon extends AsyncDisposable {
  socketPath: string;
  client: DaemonClient;
}

export async function startLocalDaemon(
  services: () => DaemonServices,
  change: Pick<ApiOptions, "metrics"> = {},
): Promise<LocalDaemon> {
  const folder = await mkdtemp(join(tmpdir(), "sojourn-api-"));
  const socketPath = join(folder, "sojourn.sock");
  const logger = createLogger("silent");
  const api = await startLocalApi({
    ...{ socketPath, hostName: "host-a", services, logger },
    ...change,
  });
  return {
    socketPath,
    client: createDaemonClient(socketPath),
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
