import type { IncomingMessage } from "node:http";
import { delay, monotonicMs } from "../platform/clock.ts";
import { asSojournError } from "../platform/errors.ts";
import { type Connection, parse, textOf } from "./connection.ts";
import { EventParser } from "./event-parser.ts";
import { cutOff, lost, rejection } from "./failures.ts";

/** One event of a stream, and its place in it. */
export interface StreamItem {
  /** Of use to go on after it; null before the first that has one. */
  id: string | null;
  data: unknown;
}

export interface FollowedStream {
  path: string;
  /** For people: what is followed, and what they do when it is out of sight. */
  what: string;
  hint: string;
  signal: AbortSignal;
  /** Id of the last event that is known already. */
  afterId?: string | undefined;
  /** How long a lost daemon is waited for. */
  patienceMs?: number | undefined;
}

const defaultPatienceMs = 15_000;

/** A connection that held for this long is one that had come back, though nothing happened. */
const steadyMs = 5_000;

/** The daemon sends a comment every 15 s. */
const longestSilenceMs = 50_000;

/**
 * Follows a stream of server-sent events, across lost connections and restarts of the daemon, without gap or
 * duplicate but for those that the daemon itself tells of. Ends when `signal` fires, or when the daemon says that
 * nothing follows.
 * @throws SojournError what the daemon answers, `SOJ_DAEMON_UNREACHABLE` when it was not there at first or does not
 * come back in time.
 */
export async function* followStream(
  connection: Connection,
  stream: FollowedStream,
): AsyncGenerator<StreamItem> {
  const { signal, patienceMs = defaultPatienceMs } = stream;
  let lastId = stream.afterId ?? "";
  let retryMs = 1_000;
  let lostAtMs: number | null = null;
  let wasThere = false;
  while (!signal.aborted) {
    const parser = new EventParser(lastId);
    let failure: unknown = cutOff();
    let openedMs: number | null = null;
    try {
      const response = await open(connection, stream, lastId);
      if (response === null) return;
      openedMs = monotonicMs();
      wasThere = true;
      for await (const { id, data } of itemsOf(response, parser)) {
        lostAtMs = null;
        yield { id: id === "" ? null : id, data: parse(data) };
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!wasThere || !asSojournError(error).retryable) throw error;
      failure = error;
    }
    if (signal.aborted) return;
    lastId = parser.lastId;
    retryMs = parser.retryMs ?? retryMs;
    const nowMs = monotonicMs();
    if (openedMs !== null && nowMs - openedMs > steadyMs) lostAtMs = null;
    lostAtMs ??= nowMs;
    if (nowMs - lostAtMs + retryMs > patienceMs) throw lost(stream.what, failure, stream.hint);
    await delay(retryMs, signal).catch(() => {});
  }
}

/** Null when nothing follows any more. */
async function open(
  connection: Connection,
  { path, signal }: FollowedStream,
  lastId: string,
): Promise<IncomingMessage | null> {
  const response = await connection.open({
    ...{ method: "GET", path, signal, timeoutMs: longestSilenceMs },
    headers: {
      accept: "text/event-stream",
      ...(lastId === "" ? {} : { "last-event-id": lastId }),
    },
  });
  if (response.statusCode === 200) return response;
  const text = await textOf(response);
  if (response.statusCode === 204) return null;
  throw rejection(parse(text), response.statusCode ?? 0);
}

async function* itemsOf(response: IncomingMessage, parser: EventParser) {
  response.setEncoding("utf8");
  try {
    for await (const text of response as AsyncIterable<string>) yield* parser.push(text);
  } catch (error) {
    throw cutOff(error);
  } finally {
    response.destroy();
  }
}
