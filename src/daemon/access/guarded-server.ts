import type { RequestListener } from "node:http";
import { Server, type ServerOptions } from "node:https";
import type { Socket } from "node:net";
import { startTimer } from "../../platform/clock.ts";
import type { Admission } from "./admission.ts";

/** A guest that stands does so for milliseconds; a connection waits for it no longer than this. */
const longestWait = { times: 50, eachMs: 20 };

/** Requests that a client may send before it has read the answers to earlier ones. */
const longestPipeline = 16;

export interface GuardedServerOptions {
  tls: ServerOptions;
  admission: Admission;
  /** New connections wait meanwhile: a handshake would hold up the event loop. */
  isGuestStanding: () => boolean;
  handler: RequestListener;
}

/** An HTTPS server that asks `admission` about each connection before TLS sees it. */
export class GuardedServer extends Server {
  readonly #admission: Admission;
  readonly #isGuestStanding: () => boolean;

  constructor({ tls, admission, isGuestStanding, handler }: GuardedServerOptions) {
    super(tls, withShortPipelines(handler));
    this.#admission = admission;
    this.#isGuestStanding = isGuestStanding;
  }

  override emit(event: string, ...args: unknown[]): boolean {
    if (event !== "connection") return super.emit(event, ...args);
    const socket = args[0] as Socket;
    if (this.#admission.admit(socket)) this.#handOn(socket, longestWait.times);
    return true;
  }

  #handOn(socket: Socket, patience: number): void {
    if (socket.destroyed) return;
    if (patience === 0 || !this.#isGuestStanding()) {
      super.emit("connection", socket);
      return;
    }
    if (patience === longestWait.times) socket.on("error", ignore);
    startTimer(() => this.#handOn(socket, patience - 1), longestWait.eachMs, false);
  }
}

/** All requests of one segment come at once, before the first can be refused. */
function withShortPipelines(handler: RequestListener): RequestListener {
  const unanswered = new WeakMap<object, number>();
  return (request, response) => {
    const { socket } = request;
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    if (count > longestPipeline) {
      socket.destroy();
      return;
    }
    response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    handler(request, response);
  };
}

function ignore(): void {}
