import { delay, monotonicMs, startTimer, type Timer } from "../../platform/clock.ts";
import type { Logger } from "../../platform/log.ts";
import { announcementFrame, portFrame } from "./frames.ts";
import { sendFrames } from "./send.ts";

/** What the machines and switches of a LAN are told for as long as it is true. */
export interface Announcement {
  /** The LAN's bridge (or device) on this host. */
  device: string;
  address: string;
  /** Who has the address: whoever sends to it sends to this MAC address; null for the device's own. */
  mac: string | null;
  /**
   * A MAC address that this host takes frames for, whatever `mac` is: switches look for it here, so that the frames of
   * those whose ARP entries never expire are not flooded. Null for none.
   */
  port: string | null;
}

/** Tells LANs where addresses are. Nothing is ever waited for; what cannot be sent is logged and tried again. */
export interface Announcer extends Disposable {
  /**
   * From now on these announcements are made, and no others: a new one in a second, again with growing pauses, since any of
   * them may be lost, and then once a minute, since switches forget.
   */
  keep(standing: readonly Announcement[]): void;
  /** Makes announcements a few times with growing pauses and then no more, unless others of the address come first. */
  tell(passing: readonly Announcement[]): void;
  /** Sends frames (frames.ts) once the host has time for it. @throws SojournError as `sendFrames` does. */
  send(device: string, frames: readonly Buffer[]): Promise<void>;
}

export interface AnnouncerOptions {
  logger: Logger;
  /** The MAC address of a device of this host; null when there is none. */
  macOf: (device: string) => Promise<string | null>;
  /** Nothing is sent while this is true: it takes a process. */
  isBusy?: () => boolean;
  send?: typeof sendFrames;
}

/** After each announcement. */
const pausesMs = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000];
/** A fifth of the time after which switches forget an address (IEEE 802.1D, Ageing Time). */
const standingPauseMs = 60_000;
/** A guest that has just arrived needs the processors more: what comes the old way is passed on. */
const firstPauseMs = 1_000;
const passingRounds = 6;
const busyPauseMs = 200;

interface Entry extends Announcement {
  rounds: number;
  dueMs: number;
  isPassing: boolean;
}

/** Opens an announcer for this process's network namespace. */
export function openAnnouncer(options: AnnouncerOptions): Announcer {
  return new TimedAnnouncer(options);
}

class TimedAnnouncer implements Announcer {
  readonly #logger: Logger;
  readonly #macOf: AnnouncerOptions["macOf"];
  readonly #isBusy: () => boolean;
  readonly #send: typeof sendFrames;
  #entries = new Map<string, Entry>();
  #timer: Timer | null = null;
  #isSending = false;
  #isEnded = false;
  #hasFailed = false;

  constructor(options: AnnouncerOptions) {
    const { logger, macOf, isBusy = () => false, send = sendFrames } = options;
    this.#logger = logger;
    this.#macOf = macOf;
    this.#isBusy = isBusy;
    this.#send = send;
  }

  keep(standing: readonly Announcement[]): void {
    const wanted = new Map(standing.map((one) => [placeOf(one), one]));
    for (const [place, entry] of this.#entries) {
      if (!entry.isPassing && !wanted.has(place)) this.#entries.delete(place);
    }
    for (const one of standing) this.#begin(one, false);
    this.#schedule();
  }

  tell(passing: readonly Announcement[]): void {
    for (const one of passing) this.#begin(one, true);
    this.#schedule();
  }

  async send(device: string, frames: readonly Buffer[]): Promise<void> {
    while (this.#isBusy() && !this.#isEnded) await delay(busyPauseMs);
    if (!this.#isEnded) await this.#send(device, frames);
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    this.#timer?.cancel();
  }

  #begin(one: Announcement, isPassing: boolean): void {
    const place = placeOf(one);
    const known = this.#entries.get(place);
    const isSame = known?.isPassing === isPassing && known.mac === one.mac;
    if (isSame && !isPassing && known.port === one.port) return;
    this.#entries.set(place, { ...one, isPassing, rounds: 0, dueMs: monotonicMs() + firstPauseMs });
  }

  #schedule(leastMs = 0): void {
    if (this.#isEnded || this.#isSending) return;
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#entries.size === 0) return;
    const dueMs = Math.min(...[...this.#entries.values()].map((entry) => entry.dueMs));
    const waitMs = Math.max(leastMs, dueMs - monotonicMs());
    this.#timer = startTimer(() => void this.#round(), waitMs, false);
  }

  async #round(): Promise<void> {
    if (this.#isBusy()) {
      this.#schedule(busyPauseMs);
      return;
    }
    this.#isSending = true;
    const nowMs = monotonicMs();
    const due = [...this.#entries.values()].filter(({ dueMs }) => dueMs <= nowMs);
    for (const device of new Set(due.map((entry) => entry.device))) {
      await this.#announce(
        device,
        due.filter((entry) => entry.device === device),
      );
    }
    for (const entry of due) this.#advance(entry);
    this.#isSending = false;
    this.#schedule();
  }

  async #announce(device: string, entries: readonly Entry[]): Promise<void> {
    try {
      const own = await this.#macOf(device);
      const frames = entries.flatMap((entry) => framesOf(entry, entry.mac ?? own));
      await this.#send(device, frames);
      this.#hasFailed = false;
    } catch (error) {
      const fields = { device, err: error };
      if (this.#hasFailed) this.#logger.debug(fields, "the LAN was not told");
      else this.#logger.warn(fields, "the LAN was not told where guests' addresses are");
      this.#hasFailed = true;
    }
  }

  #advance(entry: Entry): void {
    entry.rounds += 1;
    entry.dueMs = monotonicMs() + (pausesMs[entry.rounds - 1] ?? standingPauseMs);
    const isOver = entry.isPassing && entry.rounds >= passingRounds;
    if (isOver && this.#entries.get(placeOf(entry)) === entry) this.#entries.delete(placeOf(entry));
  }
}

function framesOf({ address, port }: Announcement, mac: string | null): Buffer[] {
  if (mac === null) return [];
  const announced = announcementFrame({ address, mac, source: mac });
  return port === null || port === mac ? [announced] : [announced, portFrame(port)];
}

function placeOf({ device, address }: Announcement): string {
  return `${device} ${address}`;
}
