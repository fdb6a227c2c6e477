import { LanPresence, type LanPresenceOptions } from "../migrator/lan-presence.ts";
import { openAnnouncer } from "../routing/announce/announcer.ts";

/** `isBusy`: a guest stands, and no process is started meanwhile. */
export function openLanPresence(
  options: Omit<LanPresenceOptions, "announcer"> & { isBusy: () => boolean },
): LanPresence {
  const { routing, logger, isBusy } = options;
  const macOf = (device: string) => routing.linkMac(device);
  return new LanPresence({ ...options, announcer: openAnnouncer({ logger, macOf, isBusy }) });
}
