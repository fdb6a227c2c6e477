import { notUnderstood } from "./failures.ts";

/** A message of a stream of server-sent events. */
export interface StreamMessage {
  /** The last one that the stream has named; empty before the first. */
  id: string;
  event: string;
  data: string;
}

/** A report is a few kilobytes. */
const longestMessage = 4 * 1024 * 1024;

/**
 * Reads a stream of server-sent events as the HTML Living Standard says ("Interpreting an event stream"), however it
 * is cut into pieces; what does not end is refused.
 */
export class EventParser {
  /** Of the last complete message. */
  lastId: string;
  /** What the stream asks its readers to wait before they come back; null until it does. */
  retryMs: number | null = null;
  #rest = "";
  #isStart = true;
  #id: string;
  #event = "";
  #data: string[] = [];
  #size = 0;

  constructor(lastId = "") {
    this.lastId = lastId;
    this.#id = lastId;
  }

  /** The messages that this text completes. @throws SojournError `SOJ_DAEMON_PROTOCOL` when one has no end. */
  push(text: string): StreamMessage[] {
    const messages: StreamMessage[] = [];
    const whole = this.#isStart ? text.replace(/^\u{feff}/u, "") : text;
    this.#isStart &&= text === "";
    const lines = (this.#rest + whole).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const message = this.#take(line);
      if (message !== null) messages.push(message);
    }
    if (this.#size + this.#rest.length > longestMessage) throw notUnderstood("an endless event");
    return messages;
  }

  #take(line: string): StreamMessage | null {
    if (line === "") return this.#complete();
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") {
      this.#data.push(value);
      this.#size += value.length + 1;
    } else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d{1,9}$/.test(value)) this.retryMs = Number(value);
    return null;
  }

  #complete(): StreamMessage | null {
    this.lastId = this.#id;
    const message = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const isEmpty = this.#data.length === 0;
    this.#event = "";
    this.#data = [];
    this.#size = 0;
    return isEmpty ? null : message;
  }
}
