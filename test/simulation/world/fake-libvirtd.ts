import type { Copies } from "./copies.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** One connection of a daemon's to its host's libvirtd. */
export class LibvirtSession {
  readonly process: DaemonProcess;
  isOpen = true;
  readonly #atEnd: (() => void)[] = [];

  constructor(process: DaemonProcess) {
    this.process = process;
  }

  /** Calls back when it is closed, whichever side closes it. */
  onClosed(listener: () => void): void {
    this.#atEnd.push(listener);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    for (const listener of this.#atEnd.splice(0)) listener();
  }
}

/** How long libvirtd takes to end a domain whose connection is closed, and to look at its domains at its start (ms). */
const [autodestroyMs, lookMs] = [3, 10];

/** A host's libvirtd: its domains outlive it, and what it was doing with them is taken back when it is there again. */
export class FakeLibvirtd {
  readonly #host: string;
  readonly #clock: VirtualClock;
  readonly #copies: Copies;
  readonly #sessions = new Set<LibvirtSession>();
  readonly #atStart = new Set<() => void>();
  isUp = true;
  /** Grows with each start: what an earlier one was about to do is not done any more. */
  life = 0;

  constructor(host: string, { clock, copies }: { clock: VirtualClock; copies: Copies }) {
    this.#host = host;
    this.#clock = clock;
    this.#copies = copies;
  }

  connect(process: DaemonProcess): LibvirtSession {
    const session = new LibvirtSession(process);
    this.#sessions.add(session);
    process.onEnd(() => session.close());
    session.onClosed(() => this.#release(session));
    // What a daemon had sent before its end is carried out.
    if (!process.alive) this.#clock.after(0, () => session.close());
    return session;
  }

  /** Calls back once, when it is up, at once if it is. */
  whenUp(work: () => void): void {
    if (this.isUp) work();
    else this.#atStart.add(work);
  }

  end(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.life += 1;
    for (const session of [...this.#sessions]) session.close();
  }

  /** Ends what had not arrived, and runs again what it had been sending. */
  begin(): void {
    if (this.isUp) return;
    this.isUp = true;
    const { life } = this;
    this.#clock.after(lookMs, () => {
      if (this.life !== life) return;
      for (const copy of this.#copies.on(this.#host)) {
        if (copy.preparedBy !== null) copy.end("libvirtd finds it half arrived");
        else copy.stream?.libvirtdStarted?.(copy);
      }
    });
    const waiting = [...this.#atStart];
    this.#atStart.clear();
    for (const work of waiting) work();
  }

  #release(session: LibvirtSession): void {
    this.#sessions.delete(session);
    for (const copy of this.#copies.on(this.#host)) {
      if (copy.protectedBy === session) copy.protectedBy = null;
      if (copy.preparedBy !== session || !this.isUp) continue;
      const { life } = this;
      this.#clock.after(autodestroyMs, () => {
        if (copy.preparedBy === session && this.life === life) copy.end("autodestroy");
      });
    }
  }
}
