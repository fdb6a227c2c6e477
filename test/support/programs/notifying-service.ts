import { terminationSignal } from "../../../src/daemon/main.ts";
import { ServiceManager, takeNotifyRequest } from "../../../src/daemon/service-manager.ts";
import { createLogger } from "../../../src/platform/log.ts";

/** A process that tells its service manager what the daemon does, until it is asked to end. */
using manager = new ServiceManager(
  takeNotifyRequest(process.env, process.pid),
  createLogger("warn"),
  { status: () => "1 migration under way", isGuestStanding: () => false },
);
const ended = terminationSignal();
const alive = setInterval(() => {}, 60_000);
await manager.ready();
await ended;
await manager.stopping();
clearInterval(alive);
