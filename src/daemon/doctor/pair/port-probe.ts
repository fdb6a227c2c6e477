import { connect, createServer, type Server, type Socket } from "node:net";
import { startTimer } from "../../../platform/clock.ts";
import { SojournError } from "../../../platform/errors.ts";

/** How long a probe's listener stays open, and how long one connection may take. */
const listenMs = 5_000;
const connectMs = 2_500;

/** Listeners of one process at a time: who may ask for them may not have any number. */
const mostListeners = 6;
let listeners = 0;

/** A port that is open for a moment. Disposing closes it. */
export interface PortProbe extends AsyncDisposable {
  port: number;
}

/**
 * Listens on the first free port from `port` on for whoever knows `nonce`, who is told so; closed after a few seconds.
 * @throws SojournError `SOJ_DOCTOR_PORT` when none of the next ports is free, or too many are open.
 */
export async function openPortProbe(
  address: string,
  port: number,
  nonce: string,
): Promise<PortProbe> {
  if (listeners >= mostListeners) throw noPort("too many are open for checks");
  listeners += 1;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    answer(socket, nonce);
  });
  server.maxConnections = 8;
  const opened = await listenFrom(server, address, port).catch((error: unknown) => {
    listeners -= 1;
    throw error;
  });
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= new Promise((resolve) => {
      listeners -= 1;
      timer.cancel();
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
    return closing;
  };
  const timer = startTimer(() => void close(), listenMs, false);
  return { port: opened, [Symbol.asyncDispose]: close };
}

/** Whether a listener at this port answers with the nonce; otherwise why not. */
export function reachPort(address: string, port: number, nonce: string): Promise<string | null> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect({ host: address, port });
    const end = (reason: string | null) => {
      timer.cancel();
      socket.destroy();
      resolve(reason);
    };
    const timer = startTimer(() => end(`no answer within ${connectMs} ms`), connectMs);
    socket.setEncoding("latin1");
    socket.on("connect", () => socket.write(`${nonce}\n`));
    socket.on("data", (data: string) => {
      heard = `${heard}${data}`.slice(0, 100);
      if (heard.length >= expected(nonce).length) {
        end(heard === expected(nonce) ? null : "something else answers there");
      }
    });
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on("close", () => end("the connection was cut"));
  });
}

function answer(socket: Socket, nonce: string): void {
  let heard = "";
  socket.setEncoding("latin1");
  socket.setTimeout(connectMs, () => socket.destroy());
  socket.on("error", () => {});
  socket.on("data", (data: string) => {
    heard = `${heard}${data}`.slice(0, 100);
    if (heard === `${nonce}\n`) socket.end(expected(nonce));
    else if (heard.length > nonce.length) socket.destroy();
  });
}

function expected(nonce: string): string {
  return `sojourn ${nonce}\n`;
}

/** Ports that are tried: a guest may be arriving on the first. */
const tries = 4;

async function listenFrom(server: Server, address: string, first: number): Promise<number> {
  for (let port = first; port < first + tries && port <= 65_535; port += 1) {
    const error = await listenOn(server, address, port);
    if (error === null) return port;
    if (error.code !== "EADDRINUSE") throw noPort(error.message);
  }
  throw noPort(`none of ${tries} from ${first} on is free`);
}

function listenOn(
  server: Server,
  address: string,
  port: number,
): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException) => resolve(error);
    server.once("error", failed);
    server.listen(port, address, 4, () => {
      server.off("error", failed);
      resolve(null);
    });
  });
}

function noPort(reason: string): SojournError {
  return new SojournError("SOJ_DOCTOR_PORT", `no port can be opened for the check: ${reason}`, {
    httpStatus: 503,
    retryable: true,
  });
}
