import type { Logger } from "../../platform/log.ts";
import type { DaemonConfig } from "../config.ts";
import { startTcpApi, type TcpApi, type TcpApiOptions } from "./tcp-api.ts";

/** The API on TCP as the configuration wants it; null when it wants none. @throws SojournError as `startTcpApi`. */
export async function startConfiguredTcpApi(
  options: Omit<TcpApiOptions, "listen">,
): Promise<TcpApi | null> {
  const { listen } = options.config;
  return listen === null ? null : startTcpApi({ ...options, listen });
}

/**
 * On SIGHUP reads certificates, tokens and the roles of clients again; nothing else of the configuration. A file that is
 * wrong changes nothing.
 */
export function reloadOnHangup(
  readConfig: () => Promise<DaemonConfig>,
  api: TcpApi | null,
  logger: Logger,
): Disposable {
  const reload = async () => {
    try {
      await api?.reload((await readConfig()).api.clients);
    } catch (error) {
      logger.error({ err: error }, "nothing was reloaded");
    }
  };
  const onHangup = () => void reload();
  process.on("SIGHUP", onHangup);
  return { [Symbol.dispose]: () => process.off("SIGHUP", onHangup) };
}
