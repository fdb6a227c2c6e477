import { GrowingSamples } from "./growing-samples.ts";
import type { BytesMessage, EchoesMessage, ProberMessage } from "./messages.ts";
import {
  type GuestReading,
  isOfBytes,
  type PacketCounts,
  type ProbeClock,
  type ProbeKind,
  type ProbeSeries,
  type SessionBreak,
  type TcpReading,
} from "./series.ts";

/** Three hours of an echo every 5 ms; a day of 10 ms buckets is bounded by the same. */
const defaultMaxSamples = 1 << 21;
/** A series with a hole in its buckets would be no series; so long a pause is the end of it. */
const maxMissingBuckets = 1 << 16;

/** More than an hour of ten a second; readings have to come back in order, so the older half goes. */
const maxReadings = 1 << 16;

/** What is known at this moment, for a live display. */
export interface ProbeLive {
  kind: ProbeKind;
  atMs: number;
  /** Time since the last arrival. */
  silenceMs: number;
  /** Round trip of the latest answer; null for a stream. */
  roundTripMs: number | null;
  /** Throughput of the latest batch; null for echoes. */
  mbps: number | null;
  broken: SessionBreak | null;
}

/** Puts a prober's messages together to a series. */
export class SeriesBuilder {
  readonly #target: { kind: ProbeKind; host: string; port: number | null };
  readonly #columns: [GrowingSamples, GrowingSamples, GrowingSamples];
  #clock: ProbeClock = { monotonicMs: 0, wallClockMs: 0, uncertaintyMs: 0 };
  #intervalMs = 1;
  #readyMs = 0;
  #endMs = 0;
  #startMs = 0;
  #unanswered = 0;
  #broken: SessionBreak | null = null;
  #longestOwnPauseMs = 0;
  #lastArrivalMs = 0;
  #isTruncated = false;
  #counts: PacketCounts = { sent: 0, lost: 0, unread: 0, duplicated: 0, reordered: 0 };
  #statusErrors = 0;
  readonly #tcp: TcpReading[] = [];
  readonly #guest: GuestReading[] = [];

  constructor(
    target: { kind: ProbeKind; host: string; port: number | null },
    maxSamples = defaultMaxSamples,
  ) {
    this.#target = target;
    const column = () => new GrowingSamples(maxSamples);
    this.#columns = [column(), column(), column()];
  }

  get clock(): ProbeClock {
    return this.#clock;
  }

  get readyMs(): number {
    return this.#readyMs;
  }

  /** Takes one message; a live value when it brought samples or the session's end. */
  accept(message: ProberMessage): ProbeLive | null {
    if ("at_ms" in message) this.#endMs = Math.max(this.#endMs, message.at_ms);
    switch (message.type) {
      case "hello":
        this.#clock = {
          monotonicMs: message.monotonic_ms,
          wallClockMs: message.wall_clock_ms,
          uncertaintyMs: message.clock_uncertainty_ms,
        };
        this.#intervalMs = message.interval_ms;
        return null;
      case "ready":
        this.#readyMs = message.at_ms;
        this.#lastArrivalMs = message.at_ms;
        return null;
      case "echoes":
        return this.#acceptEchoes(message);
      case "bytes":
        return this.#acceptBytes(message);
      case "broken":
        this.#broken = { atMs: message.at_ms, reason: message.reason, message: message.message };
        return this.#live(null, null);
      case "tcp": {
        const { at_ms, retransmissions, rto } = message;
        keep(this.#tcp, { atMs: at_ms, retransmissions, rto });
        return null;
      }
      case "guest": {
        const { at_ms, ahead_ms, error_ms, retransmissions, rto } = message;
        const clock = { aheadMs: ahead_ms, errorMs: error_ms };
        keep(this.#guest, { atMs: at_ms, ...clock, retransmissions, rto });
        return null;
      }
      case "packets": {
        const { sent, lost, unread, duplicated, reordered } = message;
        this.#counts = { sent, lost, unread, duplicated, reordered };
        return null;
      }
      case "statuses":
        this.#statusErrors = message.errors;
        return null;
      default:
        return null;
    }
  }

  build(): ProbeSeries {
    const { kind } = this.#target;
    const [first, second, third] = this.#columns.map((column) => column.toArray());
    const empty = new Float64Array(0);
    const shared = {
      host: this.#target.host,
      port: this.#target.port,
      clock: this.#clock,
      readyMs: this.#readyMs,
      endMs: this.#endMs,
      broken: this.#broken,
      longestOwnPauseMs: this.#longestOwnPauseMs,
      truncated: this.#isTruncated,
      tcp: [...this.#tcp],
    };
    if (isOfBytes(kind)) {
      const bytes = { bytes: first ?? empty, gapMs: second ?? empty, gapEndMs: third ?? empty };
      return { ...shared, kind, bucketMs: this.#intervalMs, startMs: this.#startMs, ...bytes };
    }
    const answers = {
      ...shared,
      intervalMs: this.#intervalMs,
      sentMs: first ?? empty,
      receivedMs: second ?? empty,
      unanswered: this.#unanswered,
    };
    if (kind === "packet") return { ...answers, kind, counts: this.#counts };
    if (kind === "tcp-echo") return { ...answers, kind };
    return { ...answers, kind, statusErrors: this.#statusErrors, guest: [...this.#guest] };
  }

  #acceptEchoes(message: EchoesMessage): ProbeLive {
    this.#notePause(message.own_pause_us);
    this.#unanswered = message.unanswered;
    const [sent, received] = this.#columns;
    for (let index = 0; index < message.sent_us.length; index++) {
      const dropped = sent.push(message.base_ms + (message.sent_us[index] as number) / 1000);
      received.push(message.base_ms + (message.received_us[index] as number) / 1000);
      if (dropped > 0) this.#isTruncated = true;
    }
    this.#lastArrivalMs = received.last ?? this.#lastArrivalMs;
    const roundTripMs = received.length === 0 ? null : (received.last ?? 0) - (sent.last ?? 0);
    return this.#live(roundTripMs, null);
  }

  #acceptBytes(message: BytesMessage): ProbeLive {
    this.#notePause(message.own_pause_us);
    this.#alignTo(message.base_ms);
    let sum = 0;
    for (let index = 0; index < message.bytes.length; index++) {
      const count = message.bytes[index] as number;
      const gapEndMs = message.base_ms + (message.gap_end_us[index] as number) / 1000;
      this.#pushBucket(count, (message.gap_us[index] as number) / 1000, gapEndMs);
      if (count > 0) this.#lastArrivalMs = gapEndMs;
      sum += count;
    }
    const durationMs = message.bytes.length * this.#intervalMs;
    return this.#live(null, durationMs === 0 ? 0 : (sum * 8) / (durationMs * 1000));
  }

  /** The first batch sets the axis; batches that the prober could not send leave silence, not a shift. */
  #alignTo(baseMs: number): void {
    if (this.#columns[0].length === 0) this.#startMs = baseMs;
    const expectedMs = this.#startMs + this.#columns[0].length * this.#intervalMs;
    const missing = Math.round((baseMs - expectedMs) / this.#intervalMs);
    for (let index = 0; index < Math.min(missing, maxMissingBuckets); index++) {
      this.#pushBucket(0, 0, 0);
    }
  }

  #pushBucket(bytes: number, gapMs: number, gapEndMs: number): void {
    const dropped = this.#columns[0].push(bytes);
    this.#columns[1].push(gapMs);
    this.#columns[2].push(gapEndMs);
    this.#startMs += dropped * this.#intervalMs;
    if (dropped > 0) this.#isTruncated = true;
  }

  #notePause(microseconds: number): void {
    this.#longestOwnPauseMs = Math.max(this.#longestOwnPauseMs, microseconds / 1000);
  }

  #live(roundTripMs: number | null, mbps: number | null): ProbeLive {
    return {
      kind: this.#target.kind,
      atMs: this.#endMs,
      silenceMs: Math.max(0, this.#endMs - this.#lastArrivalMs),
      roundTripMs,
      mbps,
      broken: this.#broken,
    };
  }
}

function keep<Reading>(readings: Reading[], reading: Reading): void {
  if (readings.length >= maxReadings) readings.splice(0, maxReadings / 2);
  readings.push(reading);
}
