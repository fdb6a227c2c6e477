import { LibvirtConnection } from "../../../src/hypervisor/libvirt/rpc/connection.ts";
import { libvirtSocketOf } from "../../../src/lab/libvirt/libvirtd.ts";
import { createLogger } from "../../../src/platform/log.ts";

interface Heard {
  host: string;
  event: string;
  /** QEMU's own stamp, since 1970. */
  atMs: number;
}

/** Listens to the events of a domain's QEMU wherever it is, as libvirt passes them on. */
export class MonitorWatch implements AsyncDisposable {
  readonly #connections = new AsyncDisposableStack();
  #heard: Heard[] = [];

  static async open(lab: string, hosts: readonly string[], name: string): Promise<MonitorWatch> {
    await using opening = new AsyncDisposableStack();
    const watch = opening.use(new MonitorWatch());
    for (const host of hosts) await watch.#listen(lab, host, name);
    opening.move();
    return watch;
  }

  forget(): void {
    this.#heard = [];
  }

  /** From the last STOP at `from` to the first RESUME at `to`; null without either. */
  blackoutMs(from: string, to: string): number | null {
    const at = (host: string, event: string) =>
      this.#heard.filter((one) => one.host === host && one.event === event);
    const [stop, resume] = [at(from, "STOP").at(-1), at(to, "RESUME")[0]];
    return stop === undefined || resume === undefined
      ? null
      : Math.round((resume.atMs - stop.atMs) * 100) / 100;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections.disposeAsync();
  }

  async #listen(lab: string, host: string, name: string): Promise<void> {
    const logger = createLogger("silent");
    const sockets = [libvirtSocketOf(lab, host)];
    const connection = this.#connections.use(await LibvirtConnection.open({ logger, sockets }));
    await connection.subscribeMonitor(({ domain, event, seconds, microseconds }) => {
      if (domain.name !== name) return;
      this.#heard.push({ host, event, atMs: Number(seconds) * 1000 + microseconds / 1000 });
    });
  }
}
