import { hasCode } from "../platform/errors.ts";
import { ourProtocol, type Route } from "./desired.ts";
import { missingDevice } from "./failures.ts";
import { readLink } from "./netlink/reader.ts";
import { encodeRoute, encodeRouteRemoval } from "./netlink/routes.ts";
import { MessageFlag, MessageType, NetlinkError, RouteNetlink } from "./netlink/socket.ts";
import { normaliseRoute } from "./normalise.ts";

/** Route changes over a socket of their own, one request each once the device is known. */
export class FastRoutes implements Disposable {
  readonly #netlink = new RouteNetlink({ timeoutMs: 1_000 });
  readonly #indexes = new Map<string, number>();

  /** @throws SojournError `SOJ_ROUTING_NO_DEVICE`. */
  async warm(devices: readonly string[]): Promise<void> {
    for (const device of devices) await this.#resolve(device);
  }

  /** @throws SojournError `SOJ_ROUTING_NO_DEVICE`, `SOJ_NETLINK_…`. */
  async replace(wanted: Route): Promise<void> {
    const route = normaliseRoute(wanted);
    const request = `route replace ${route.prefix} dev ${route.device}`;
    const flags = MessageFlag.create | MessageFlag.replace;
    await this.#withIndex(route.device, (index) =>
      this.#netlink.request(
        request,
        MessageType.newRoute,
        encodeRoute(route, ourProtocol, index),
        flags,
      ),
    );
  }

  /** Removes the route if it is there and ours. */
  async remove(unwanted: Route): Promise<void> {
    const route = normaliseRoute(unwanted);
    const request = `route del ${route.prefix} dev ${route.device}`;
    try {
      await this.#withIndex(route.device, (index) =>
        this.#netlink.request(
          request,
          MessageType.deleteRoute,
          encodeRouteRemoval(route, ourProtocol, index),
        ),
      );
    } catch (error) {
      const isGone = error instanceof NetlinkError && error.errnoName === "ESRCH";
      const hasNoDevice = hasCode(error, "SOJ_ROUTING_NO_DEVICE");
      if (!isGone && !hasNoDevice) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#netlink[Symbol.dispose]();
  }

  /** Tries again once with a fresh number when the device was made anew since. */
  async #withIndex(
    device: string | null,
    send: (index: number | null) => Promise<unknown>,
  ): Promise<void> {
    if (device === null) {
      await send(null);
      return;
    }
    const known = this.#indexes.get(device);
    try {
      await send(known ?? (await this.#resolve(device)));
    } catch (error) {
      const isStale = error instanceof NetlinkError && staleErrors.has(error.errnoName);
      if (known === undefined || !isStale) throw error;
      const fresh = await this.#resolve(device);
      if (fresh === known) throw error;
      await send(fresh);
    }
  }

  async #resolve(device: string): Promise<number> {
    this.#indexes.delete(device);
    const link = await readLink(this.#netlink, device);
    if (link === null) throw missingDevice(device, "interface");
    this.#indexes.set(device, link.index);
    return link.index;
  }
}

const staleErrors = new Set(["ENODEV", "ESRCH", "EINVAL", "ENETUNREACH"]);
