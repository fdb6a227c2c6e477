import type { Timer } from "../../../src/platform/clock.ts";
import { asSojournError, SojournError } from "../../../src/platform/errors.ts";
import type {
  CallOptions,
  PeerCaller,
  PeerContext,
  Procedure,
  ProcedureTable,
} from "../../../src/platform/procedures.ts";
import { type DaemonProcess, Killed, never, runningProcess } from "./daemon-process.ts";
import type { Links, Way } from "./links.ts";
import type { Random } from "./random.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export type Handlers = Record<string, (request: never, context: PeerContext) => Promise<unknown>>;

export interface Receiver {
  process: DaemonProcess;
  handlers: Handlers;
}

export interface MessengerOptions {
  clock: VirtualClock;
  random: Random;
  links: Links;
  procedures: ProcedureTable;
  /** Of messages: how many take long, and how many arrive a second time, later. */
  slowness: number;
  duplicates: number;
  receiver(host: string): Receiver | null;
  trace: ((text: string) => void) | null;
}

/** Carries requests and answers between daemons: late, twice, or never. */
export class Messenger {
  readonly #options: MessengerOptions;

  constructor(options: MessengerOptions) {
    this.#options = options;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the table ties requests to answers at the caller
  caller(process: DaemonProcess, peer: string): PeerCaller<any> {
    return {
      peer,
      call: (name: string, request: unknown, options: CallOptions = {}) =>
        this.#call(process, peer, name, request, options),
    };
  }

  #call(
    process: DaemonProcess,
    peer: string,
    name: string,
    request: unknown,
    { timeoutMs, signal }: CallOptions,
  ): Promise<unknown> {
    if (!process.alive) return never;
    if (signal?.aborted) return Promise.reject(signal.reason);
    const { clock, duplicates, procedures } = this.#options;
    const random = this.#options.random.stream(`${process.host} ${name}`);
    const procedure = procedures[name] as Procedure;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const deadlineMs = timeoutMs ?? procedure.timeoutMs ?? 10_000;
    const giveUp: Timer = clock.deliver(process, deadlineMs, () => {
      signal?.removeEventListener("abort", onAbort);
      reject(unreachable(peer, "no answer"));
    });
    const onAbort = () => {
      giveUp.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#send({ from: process.host, to: peer }, name, random, () =>
      this.#arrive(process.host, peer, name, request, random, (error, result) =>
        clock.deliver(process, 0, () => {
          giveUp.cancel();
          signal?.removeEventListener("abort", onAbort);
          if (error === null) resolve(result);
          else reject(error);
        }),
      ),
    );
    if (random.chance(duplicates)) {
      const lateMs = random.chance(0.6) ? random.between(0, 50) : random.between(0, 100_000);
      clock.after(lateMs, () =>
        this.#send({ from: process.host, to: peer }, `${name} again`, random, () =>
          this.#arrive(process.host, peer, name, request, random, () => {}),
        ),
      );
    }
    return promise;
  }

  #send(way: Way, what: string, random: Random, arrive: () => void): void {
    const { clock, links, slowness, trace } = this.#options;
    const slow = random.chance(slowness);
    const delayMs = slow ? random.between(5, 3_000) : random.between(0.2, 2);
    if (links.isUp("control", way)) {
      clock.after(delayMs, arrive);
      return;
    }
    const jammed = random.chance(0.4);
    trace?.(`${what} from ${way.from} to ${way.to} is ${jammed ? "jammed" : "lost"}`);
    const healedInMs = links.downUntil("control", way) - clock.nowMs;
    if (jammed) clock.after(healedInMs + delayMs, arrive);
  }

  #arrive(
    from: string,
    to: string,
    name: string,
    request: unknown,
    random: Random,
    done: (error: unknown, result: unknown) => void,
  ): void {
    const { clock, receiver, trace } = this.#options;
    const target = receiver(to);
    const reply = (error: unknown, result: unknown) =>
      this.#send({ from: to, to: from }, `answer to ${name}`, random, () => done(error, result));
    if (target === null) {
      reply(unreachable(to, "connection refused"), null);
      return;
    }
    clock.deliver(target.process, 0, () => {
      const handler = target.handlers[name];
      if (handler === undefined) throw new Error(`no procedure ${name}`);
      trace?.(`${to} is asked to ${name} by ${from}`);
      void runningProcess.run(target.process, async () => {
        try {
          const result = await handler(request as never, { peer: from, addresses: [] });
          if (target.process.alive) reply(null, result);
        } catch (error) {
          if (error instanceof Killed || !target.process.alive) return;
          const known = asSojournError(error);
          trace?.(`${to} refuses ${name}: ${known.code} ${known.message}`);
          reply(SojournError.fromRecord(known.toRecord(), known.httpStatus), null);
        }
      });
    });
  }
}

function unreachable(peer: string, reason: string): SojournError {
  return new SojournError("SOJ_PEER_UNREACHABLE", `${peer} is unreachable: ${reason}`, {
    retryable: true,
    httpStatus: 503,
  });
}
