import { type ApiOptions, createApi } from "./api/app.ts";
import { listenOnSocket } from "./local-socket.ts";

/**
 * Serves the API on a unix socket, to everybody who may open it; disposing stops it and removes the socket.
 * @throws SojournError `SOJ_ALREADY_RUNNING`, `SOJ_SOCKET_PATH_OCCUPIED`.
 */
export async function startLocalApi(
  options: ApiOptions & { socketPath: string },
): Promise<AsyncDisposable> {
  const app = await createApi(options);
  await listenOnSocket(app, options.socketPath);
  return { [Symbol.asyncDispose]: () => app.close() };
}
