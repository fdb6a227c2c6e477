import { nicAddresses } from "../hypervisor/nic-addresses.ts";
import { monotonicMs } from "../platform/clock.ts";
import { SojournError } from "../platform/errors.ts";
import type { HostContext } from "./host-context.ts";
import { guestNetworkOf } from "./network.ts";
import type { GuestRecord } from "./records.ts";
import { type AddressWish, chooseAddress, refused } from "./renumber-address.ts";

type Context = Pick<HostContext, "host" | "guests" | "network" | "records">;

/** How long free addresses are looked for, each of which turns out to be somebody's. */
const longestSearchMs = 25_000;

/** An address that nobody else is given until disposed; by then it is in the guest's record, or free again. */
export interface GivenAddress extends Disposable {
  address: string;
}

/** Gives arriving guests addresses of this host's guest networks. */
export class GuestAddresses {
  readonly #context: Context;
  /** Those about to be given, and whose they will be. */
  readonly #claims = new Map<string, string>();

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Chooses one, and looks whether anybody in its network answers for it: up to 3.5 s where nobody does.
   * @throws SojournError `SOJ_RENUMBER_ADDRESS`, `SOJ_RENUMBER_FULL`, or what the kernel refuses.
   */
  async give(wish: AddressWish, guest: string): Promise<GivenAddress> {
    const busy = new Map<string, string>();
    const deadlineMs = monotonicMs() + longestSearchMs;
    for (;;) {
      const address = this.#choose(wish, guest, busy);
      this.#claims.set(address, `about to be ${guest}'s`);
      const release = () => void this.#claims.delete(address);
      try {
        const user = await this.#userOf(address);
        if (user === null) return { address, [Symbol.dispose]: release };
        if (wish !== "auto" || monotonicMs() > deadlineMs)
          throw refused(address, `${this.#context.host.name} says that it is ${user}`);
        busy.set(address, user);
        release();
      } catch (error) {
        release();
        throw error;
      }
    }
  }

  /** The one that `give` would look at first; asks nobody. @throws SojournError as there */
  likely(wish: AddressWish, guest: string): string {
    return this.#choose(wish, guest, new Map());
  }

  /**
   * Refuses one that has become another guest's since it was given. For a caller that holds the network.
   * @throws SojournError `SOJ_RENUMBER_ADDRESS`.
   */
  checkFree(address: string, guest: string): void {
    const owner = this.#taken(guest).get(address);
    if (owner !== undefined) throw refused(address, `it is ${owner}`);
  }

  #choose(wish: AddressWish, guest: string, busy: ReadonlyMap<string, string>): string {
    const taken = new Map([...this.#taken(guest), ...this.#claims, ...busy]);
    return chooseAddress(wish, this.#context.host, taken);
  }

  /** This host's, and those of guests that it knows or could start, but of `except`. */
  #taken(except: string): Map<string, string> {
    const { host, guests, records } = this.#context;
    const taken = new Map([[host.underlayAddress, `${host.name}'s own`]]);
    for (const name of guests.names()) {
      if (name === except) continue;
      const known = records.get(name);
      const addresses = known === undefined ? definedAddresses(guests, name) : addressesOf(known);
      for (const address of addresses) taken.set(address, `${name}'s`);
    }
    return taken;
  }

  async #userOf(address: string): Promise<string | null> {
    const { host, network } = this.#context;
    const bridge = guestNetworkOf(host, address)?.bridge;
    if (bridge === undefined) throw new Error(`${address} is in none of ${host.name}'s subnets`);
    return await network.routing.addressUser(bridge, address);
  }
}

/** Those that nobody else may have on this host: of a guest that has left for good its old one is free. Pure. */
export function addressesOf({
  definition,
  hosting,
  redirect,
  departed,
}: Pick<GuestRecord, "definition" | "hosting" | "redirect" | "departed">): string[] {
  const hasLeft = departed !== undefined && hosting === null && redirect === null;
  const renumbered = hosting?.renumbered === undefined ? [] : [hosting.renumbered];
  return [...(hasLeft ? [] : nicAddresses(definition)), ...renumbered];
}

function definedAddresses(guests: Context["guests"], name: string): string[] {
  try {
    return nicAddresses(guests.definition(name));
  } catch (error) {
    // One that is wrong cannot be started as it is.
    if (error instanceof SojournError) return [];
    throw error;
  }
}
