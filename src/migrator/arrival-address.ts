import type { GivenAddress, GuestAddresses } from "./guest-addresses.ts";
import type { HostContext } from "./host-context.ts";
import { landedRecord, type Preparation, renumberedRecord } from "./incoming-record.ts";
import type { GuestRecord } from "./records.ts";

/**
 * The address of this host's that an arriving guest is to have, if any. That nobody has it takes seconds to find out,
 * while the rest is prepared. Disposing lets others have it, unless it is in the guest's record.
 */
export class ArrivalAddress implements Disposable {
  readonly #addresses: GuestAddresses;
  readonly #giving: Promise<GivenAddress> | null;

  constructor(addresses: GuestAddresses, { renumber, guest }: Preparation) {
    this.#addresses = addresses;
    this.#giving = renumber === undefined ? null : addresses.give(renumber, guest);
    this.#giving?.catch(() => {});
  }

  /**
   * Puts it into the guest's record, before anybody else can be given it; null where none is wished for.
   * @throws SojournError as `GuestAddresses.give`, and for another's route to it.
   */
  async take(
    { network }: Pick<HostContext, "network">,
    current: () => GuestRecord,
  ): Promise<string | null> {
    if (this.#giving === null) return null;
    const { address } = await this.#giving;
    using _held = await network.hold();
    this.#addresses.checkFree(address, current().guest);
    const record = renumberedRecord(current(), address);
    await network.changeWhileHeld(record);
    await network.plan(landedRecord(record));
    return address;
  }

  [Symbol.dispose](): void {
    void this.#giving?.then((given) => given[Symbol.dispose]()).catch(() => {});
  }
}
