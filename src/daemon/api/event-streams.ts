import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import { delay, startInterval, startTimer } from "../../platform/clock.ts";
import { asSojournError, SojournError } from "../../platform/errors.ts";
import type { QuietReads } from "./quiet-reads.ts";

/** One message of a stream (HTML Living Standard, "Server-sent events"). */
export interface ServerSentEvent {
  /** Null leaves the reader's last one as it is. */
  id: string | null;
  event: string;
  data: object;
}

export interface EventStreamLimits {
  /** A comment is sent this often, so that a dead connection is noticed at both ends. */
  heartbeatMs: number;
  /** A reader that takes nothing for this long is cut off. */
  stallMs: number;
  /** Streams at once. */
  count: number;
}

const defaultLimits: EventStreamLimits = { heartbeatMs: 15_000, stallMs: 30_000, count: 1_000 };

/** How long a reader that was cut off waits before it comes back. */
const retryMs = 1_000;

/**
 * Answers with streams of events. A reader pulls: what it does not take is not taken from the source either, so that
 * a slow one holds nothing but its own place. What happens while a guest stands is told when it runs again.
 */
export class EventStreams {
  readonly #quiet: QuietReads;
  readonly #limits: EventStreamLimits;
  #count = 0;

  constructor(quiet: QuietReads, limits: Partial<EventStreamLimits> = {}) {
    this.#quiet = quiet;
    this.#limits = { ...defaultLimits, ...limits };
  }

  /**
   * Sends what `open` yields until it ends or the reader goes away.
   * @param place `startId` of a reader that has seen nothing yet; with `mayBeOver` an end without any event is
   * answered with 204, which ends a reader's reconnecting
   * @throws SojournError `SOJ_TOO_MANY_STREAMS` (503), and what `open` throws.
   */
  async send(
    reply: FastifyReply,
    open: (signal: AbortSignal) => AsyncIterable<ServerSentEvent>,
    { startId, mayBeOver = false }: { startId?: string | undefined; mayBeOver?: boolean } = {},
  ): Promise<FastifyReply> {
    if (this.#count >= this.#limits.count) throw tooMany(this.#limits.count);
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    // The reader may have left while the request waited, which nobody says again.
    if (reply.raw.closed) gone.abort();
    const source = open(gone.signal)[Symbol.asyncIterator]();
    const first = source.next();
    const isEmpty = await Promise.race([first.then(({ done }) => done === true), later()]);
    if (isEmpty && mayBeOver) return reply.status(204).send();
    this.#count += 1;
    try {
      await this.#write(reply, source, first, startId, gone.signal);
    } finally {
      this.#count -= 1;
      gone.abort();
      await source.return?.();
    }
    return reply;
  }

  async #write(
    reply: FastifyReply,
    source: AsyncIterator<ServerSentEvent>,
    first: Promise<IteratorResult<ServerSentEvent>>,
    startId: string | undefined,
    gone: AbortSignal,
  ): Promise<void> {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      // A proxy must not wait for more (nginx, ngx_http_proxy_module).
      "x-accel-buffering": "no",
    });
    raw.write(`retry: ${retryMs}\n${startId === undefined ? "" : `id: ${startId}\n`}\n`);
    const heartbeat = startInterval(() => {
      if (!raw.writableNeedDrain) raw.write(": still here\n\n");
    }, this.#limits.heartbeatMs);
    try {
      for (let next = await first; !next.done && !gone.aborted; next = await source.next()) {
        if (!this.#quiet.isQuiet) await this.#quiet.untilQuiet();
        if (!raw.write(messageOf(next.value))) await drained(raw, this.#limits.stallMs, gone);
      }
    } catch (error) {
      if (!gone.aborted) raw.write(messageOf(failureOf(error)));
    } finally {
      heartbeat.cancel();
      raw.end();
    }
  }
}

/** Texts of what is sent to many readers. */
const texts = new WeakMap<object, string>();

export function messageOf({ id, event, data }: ServerSentEvent): string {
  // JSON has no line breaks of its own.
  const text = texts.get(data) ?? JSON.stringify(data);
  texts.set(data, text);
  return `${id === null ? "" : `id: ${id}\n`}event: ${event}\ndata: ${text}\n\n`;
}

/** A failure of the stream itself becomes its last event, since the status is long sent. */
function failureOf(error: unknown): ServerSentEvent {
  return { id: null, event: "error", data: asSojournError(error).toRecord() };
}

async function drained(raw: ServerResponse, stallMs: number, gone: AbortSignal): Promise<void> {
  const timer = startTimer(() => raw.destroy(), stallMs, false);
  try {
    await once(raw, "drain", { signal: gone });
  } finally {
    timer.cancel();
  }
}

/** False, after everything that is known already has been told. */
async function later(): Promise<false> {
  await delay(0);
  return false;
}

function tooMany(count: number): SojournError {
  return new SojournError("SOJ_TOO_MANY_STREAMS", `${count} event streams are open already`, {
    httpStatus: 503,
    retryable: true,
    hint: "close some, or follow all migrations with one: GET /v1/events",
  });
}
