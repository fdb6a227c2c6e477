import { mkdir } from "node:fs/promises";
import { SojournError } from "../platform/errors.ts";
import { createLogger, type Logger } from "../platform/log.ts";
import type { PeerCaller } from "../platform/procedures.ts";
import { releaseVersion } from "../platform/release.ts";
import { ConfiguredTcpApi, reloadOnHangup } from "./access/daemon-api.ts";
import { type ComposedDaemon, composeDaemon } from "./compose.ts";
import { type DaemonConfig, loadConfig, socketPath } from "./config.ts";
import { startLocalApi } from "./local-api.ts";
import { lockFile } from "./lock-file.ts";
import { DaemonMetrics } from "./metrics/daemon-metrics.ts";
import { createPeerClient } from "./peer-client.ts";
import { procedures } from "./peer-procedures.ts";
import { startPeerServer } from "./peer-server.ts";
import { readTlsFiles } from "./peer-tls.ts";
import { ServiceManager, takeNotifyRequest } from "./service-manager.ts";
import { requireStreamAddress } from "./stream-address.ts";

/**
 * Runs the daemon until SIGTERM or SIGINT; guests go on when it ends.
 * @throws SojournError when it cannot start: configuration, a second daemon, an address in use, certificates.
 */
export async function runDaemon(configPath: string): Promise<void> {
  const config = await loadConfig(configPath);
  const logger = createLogger(config.log.level).child({ host: config.host.name });
  const request = takeNotifyRequest(process.env, process.pid);
  await using stack = new AsyncDisposableStack();
  let daemon: ComposedDaemon | null = null;
  // Before all others, so that it is disposed of last: the watchdog is fed while migrations wind down.
  const manager = stack.use(
    new ServiceManager(request, logger, {
      status: () => describeMigrations(daemon?.underWay().count ?? 0),
      isGuestStanding: () => daemon?.underWay().isGuestStanding ?? false,
    }),
  );
  const started = await startDaemon(config, logger, stack);
  daemon = started.daemon;
  stack.use(reloadOnHangup(() => loadConfig(configPath), started.tcpApi, logger));
  const terminated = terminationSignal();
  await manager.ready();
  const signal = await terminated;
  logger.info({ signal }, "stopping; guests go on");
  await manager.stopping();
}

function describeMigrations(count: number): string {
  if (count === 0) return "no migration under way";
  return count === 1 ? "1 migration under way" : `${count} migrations under way`;
}

/** Starts everything; what was started is owned by `stack` and ends in reverse. */
export async function startDaemon(
  config: DaemonConfig,
  logger: Logger,
  stack: AsyncDisposableStack,
): Promise<{ daemon: ComposedDaemon; tcpApi: ConfiguredTcpApi }> {
  requireStreamAddress(config);
  await mkdir(config.paths.state, { recursive: true, mode: 0o700 });
  await mkdir(config.paths.run, { recursive: true, mode: 0o750 });
  stack.use(await lockFile(`${config.paths.state}/daemon.lock`));
  stack.use(await lockFile(`${config.paths.run}/daemon.lock`));
  const peers = await connectPeers(config, stack);
  // The addresses are taken first: a daemon that cannot have them must not have changed anything.
  let composed: ComposedDaemon | null = null;
  const ready = () => composed ?? stillStarting();
  const peerServer = stack.use(
    await startPeerServer({
      tls: config.peerApi,
      listen: config.peerApi.listen,
      peers: new Set(config.peers.keys()),
      procedures,
      handlers: () => ready().handlers,
      logger,
    }),
  );
  const path = socketPath(config);
  const hostName = config.host.name;
  const services = () => ready().services;
  const version = releaseVersion();
  const { role = "host" } = config.host;
  const metrics = new DaemonMetrics({ host: hostName, role, version, peers: config.peers.keys() });
  const { cert, ca } = await readTlsFiles(config.peerApi);
  metrics.certificates.know({ peer: cert, authority: ca });
  // Also one that is about to arrive, or has just.
  const isGuestStanding = () => metrics.isGuestStanding();
  const api = { hostName, services, logger, metrics, isGuestStanding };
  const { socketGroup } = config.api;
  stack.use(await startLocalApi({ ...api, socketPath: path, socketGroup }));
  const tcpApi = stack.use(await ConfiguredTcpApi.start({ ...api, config: config.api }));
  metrics.api.know(tcpApi);
  composed = stack.use(await composeDaemon({ config, logger, peers, metrics }));
  const ports = { peerPort: peerServer.port, apiPort: tcpApi.port };
  logger.info({ socket: path, ...ports, pid: process.pid }, "ready");
  return { daemon: composed, tcpApi };
}

async function connectPeers(
  config: DaemonConfig,
  stack: AsyncDisposableStack,
): Promise<Map<string, PeerCaller<typeof procedures>>> {
  const peers = new Map<string, PeerCaller<typeof procedures>>();
  for (const [peer, address] of config.peers) {
    const client = await createPeerClient({ peer, address, tls: config.peerApi, procedures });
    peers.set(peer, stack.use(client));
  }
  return peers;
}

function stillStarting(): never {
  throw new SojournError("SOJ_NOT_READY", "the daemon is still starting", {
    exitCode: 7,
    httpStatus: 503,
    retryable: true,
  });
}

/** Resolves with the first; later ones are ignored, the end is under way. */
export function terminationSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    // Not `once`: while a command runs, execa ends the process itself when it finds no other listener left.
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, resolve);
  });
}
