import type { HostContext } from "../../migrator/host-context.ts";
import { diskStorage } from "../../platform/storage.ts";
import type { DaemonConfig } from "../config.ts";
import type { NameMetrics } from "../metrics/name-metrics.ts";
import { GuestNames, type NameNews } from "./guest-names.ts";
import { leaveNamesToHooks } from "./hand-over.ts";
import { checkKeyFile } from "./key-file.ts";
import { MovedNames } from "./moved-names.ts";
import { NameServer } from "./name-server.ts";

/** Begins to see to the guests' names, where [dns] says how. Disposing lets go. */
export function openGuestNames(options: {
  config: Pick<DaemonConfig, "dns" | "drain" | "paths">;
  context: Pick<HostContext, "host" | "records" | "network" | "logger">;
  metrics: NameMetrics;
  isGuestStanding: () => boolean;
  tell: (news: NameNews) => void;
}): Disposable {
  const { config, context, metrics, isGuestStanding } = options;
  const { dns } = config;
  if (dns === null) {
    leaveNamesToHooks(context.records, config.drain.nameTtlS);
    return { [Symbol.dispose]: () => {} };
  }
  const { logger } = context;
  const moved = new MovedNames(config.paths.state, diskStorage, (error) =>
    logger.error({ err: error }, "alarm: which names were led elsewhere is not known any more"),
  );
  const names = new GuestNames({
    ...{ config: dns, context, moved, isGuestStanding, server: new NameServer(dns) },
    tell: (news) => {
      metrics.note(news.failure === null);
      options.tell(news);
    },
  });
  metrics.know(() => names.pending);
  checkKeyFile(dns.keyPath).catch((error: unknown) =>
    logger.error({ err: error }, "guests' names cannot be updated"),
  );
  names.begin();
  return names;
}
