import { delay, monotonicMs } from "../platform/clock.ts";
import type { Logger } from "../platform/log.ts";
import {
  beginShare,
  nextShare,
  type ShareRules,
  type ShareState,
  shareIntervalMs,
} from "./guest-share.ts";

/** One stream among those that leave through a link. */
export interface SharedStream {
  /** Where it goes. */
  toAddress: string;
  rules: Omit<ShareRules, "capacity">;
  /** What of the guest's memory it has carried so far. @throws SojournError */
  sentBytes(): Promise<number>;
  /** Bytes of memory per second; null for no limit. @throws SojournError */
  limitTo(bytesPerSecond: number | null): Promise<void>;
}

/** What is known of a link when a stream begins: bytes per second. */
export interface LinkFacts {
  /** Null where nobody knows it. */
  capacity: number | null;
  /** What left through it before. */
  others: number;
}

interface Member {
  stream: SharedStream;
  /** At the last look; null before its first. */
  sentBytes: number | null;
  /** Its limit; undefined before it has one. */
  told: number | null | undefined;
}

/** What leaves a device in less time was not measured long enough to say anything. */
export const shortestLookMs = 50;

/** A byte of memory on the wire, with the headers of its packets (Ethernet, IP, TCP and TLS records). */
const wirePerByte = 1.05;

/** A change smaller than this part of the limit is not worth a question to QEMU. */
const noticeable = 0.02;

/** What was learnt of a link that long ago says nothing any more. */
const memoryMs = 5_000;

/** One device, looked at for as long as streams leave through it. */
export class SharedLink {
  readonly #sentBytes: () => Promise<number | null>;
  readonly #logger: Logger;
  readonly #members = new Set<Member>();
  #capacity: number | null = null;
  #state: ShareState | null = null;
  #look: { atMs: number; sentBytes: number } | null = null;
  #runs = false;

  /** @param sentBytes all that has left through the device so far; null when it is gone. */
  constructor(sentBytes: () => Promise<number | null>, logger: Logger) {
    this.#sentBytes = sentBytes;
    this.#logger = logger;
  }

  /** Until the returned object is disposed of the stream is told what it may send, the first time at once. */
  add(stream: SharedStream, { capacity, others }: LinkFacts): Disposable {
    const member: Member = { stream, sentBytes: null, told: undefined };
    this.#members.add(member);
    this.#capacity = capacity;
    const rules = this.#rules();
    if (this.#state === null || this.#isStale()) this.#state = beginShare(others, rules);
    void this.#tell();
    if (!this.#runs) void this.#run();
    return { [Symbol.dispose]: () => void this.#members.delete(member) };
  }

  #isStale(): boolean {
    return this.#look === null || monotonicMs() - this.#look.atMs > memoryMs;
  }

  async #run(): Promise<void> {
    this.#runs = true;
    try {
      while (this.#members.size > 0) {
        await this.#judge().catch((error) =>
          this.#logger.debug({ err: error }, "the link was not looked at"),
        );
        await delay(shareIntervalMs);
      }
    } finally {
      this.#runs = false;
    }
  }

  async #judge(): Promise<void> {
    const members = [...this.#members];
    const sent = await Promise.all(
      members.map(({ stream }) => stream.sentBytes().catch(() => null)),
    );
    const total = await this.#sentBytes();
    if (total === null || this.#state === null || this.#members.size === 0) return;
    const [before, now] = [this.#look, { atMs: monotonicMs(), sentBytes: total }];
    this.#look = now;
    const grown = members.map((member, index) => growthOf(member, sent[index] ?? null));
    // Of a stream that was not looked at before, what it has sent would count as others' traffic.
    if (before === null || grown.includes(null) || now.atMs - before.atMs < shortestLookMs) return;
    const seconds = (now.atMs - before.atMs) / 1000;
    const streams = grown.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0);
    const latest = {
      stream: (streams * wirePerByte) / seconds,
      total: Math.max(0, total - before.sentBytes) / seconds,
    };
    this.#state = nextShare(this.#state, latest, this.#rules());
    await this.#tell();
  }

  /** The most considerate of the streams decides how much is left to others. */
  #rules(): ShareRules {
    const rules = [...this.#members].map(({ stream }) => stream.rules);
    const maxima = rules.map(({ maxBandwidth }) => maxBandwidth);
    return {
      capacity: this.#capacity,
      guestShare: Math.max(0, ...rules.map(({ guestShare }) => guestShare)),
      maxBandwidth: maxima.includes(0) ? 0 : maxima.reduce((sum, each) => sum + each, 0),
    };
  }

  async #tell(): Promise<void> {
    const limit = this.#state?.limit ?? null;
    const each = limit === null ? null : limit / wirePerByte / this.#members.size;
    const telling = [...this.#members]
      .filter(({ told }) => !isAlike(each, told))
      .map((member) => {
        member.told = each;
        return member.stream.limitTo(each).catch(() => {
          member.told = undefined;
        });
      });
    if (telling.length > 0) this.#logger.debug({ ...this.#state, each }, "share of the link");
    await Promise.all(telling);
  }
}

/** Bytes since the last look; null where there is none to compare with. */
function growthOf(member: Member, sentBytes: number | null): number | null {
  const before = member.sentBytes;
  member.sentBytes = sentBytes;
  return before === null || sentBytes === null ? null : Math.max(0, sentBytes - before);
}

function isAlike(one: number | null, other: number | null | undefined): boolean {
  if (one === null || other === null || other === undefined) return one === other;
  return Math.abs(one - other) <= noticeable * other;
}
