import { localCaller } from "./access/caller.ts";
import type { Api } from "./api/api.ts";
import { type ApiOptions, createApi } from "./api/app.ts";
import { listenOnSocket } from "./local-socket.ts";

/**
 * Serves the API on a unix socket, to everybody who may open it; disposing stops it and removes the socket.
 * @throws SojournError `SOJ_ALREADY_RUNNING`, `SOJ_SOCKET_PATH_OCCUPIED`.
 */
export async function startLocalApi(
  options: ApiOptions & { socketPath: string; socketGroup?: string | null },
): Promise<AsyncDisposable> {
  const extend = async (api: Api) => {
    api.addHook("onRequest", async (request) => {
      request.caller = localCaller;
    });
  };
  const app = await createApi({ ...options, extend });
  await listenOnSocket(app, options.socketPath, options.socketGroup ?? null);
  return { [Symbol.asyncDispose]: () => app.close() };
}
