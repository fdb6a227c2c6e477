import type { GuestDefinition } from "../hypervisor/definition.ts";
import type { GuestInstance } from "../hypervisor/hypervisor.ts";
import { preconditionError, type SojournError } from "../platform/errors.ts";
import { checkName } from "../platform/names.ts";
import { definedNames, removeDefinition, writeDefinition } from "./guest-definitions.ts";
import { placeOf } from "./guest-place.ts";
import { recordAtHome } from "./home-record.ts";
import type { HostContext } from "./host-context.ts";
import { refuseAnchor } from "./host-role.ts";

type Context = Pick<HostContext, "host" | "guests" | "network" | "records">;

/**
 * Makes guests of processes that somebody else started, and lets go of them. What decides is one file of the
 * hypervisor's, so that a daemon that dies in between leaves a guest that is adopted or one that is not: a place without
 * a process is forgotten at the next start (`Guests.forgetEnded`), and a process without a definition gets one.
 */
export class Adoptions {
  readonly #context: Context;
  readonly #definitions: string;

  /** `definitions`: the folder of the guests' definitions. */
  constructor(context: Context, definitions: string) {
    this.#context = context;
    this.#definitions = definitions;
  }

  /**
   * Makes a guest of a process that runs on `tap`, which stays its owner's. `attach` takes hold of the process, and
   * decides.
   * @throws SojournError `SOJ_GUEST_EXISTS`, `SOJ_GUEST_BUSY`, `SOJ_GUEST_ADDRESS`, `SOJ_BRIDGE_MISSING`, or what
   *   `attach` throws
   */
  async takeIn(
    definition: GuestDefinition,
    tap: string,
    attach: () => Promise<GuestInstance>,
  ): Promise<void> {
    using _reserved = this.#context.guests.reserve(definition.name);
    this.refuseKnown(definition.name);
    await this.#hold(definition, tap, attach);
    writeDefinition(this.#definitions, definition);
  }

  /**
   * The same for a defined guest that its owner has started again: it is a guest as it was before it ended.
   * @throws SojournError `SOJ_GUEST_BUSY` when it is known to be somewhere; as `takeIn`
   */
  async takeBack(
    definition: GuestDefinition,
    tap: string,
    attach: () => Promise<GuestInstance>,
  ): Promise<void> {
    const { host, guests, records } = this.#context;
    const { name } = definition;
    using _reserved = guests.reserve(name);
    const known = records.get(name);
    if (known !== undefined) {
      const hint = `sojourn guest show ${name}`;
      throw preconditionError("SOJ_GUEST_BUSY", `${name} ${placeOf(known, host.name)}`, { hint });
    }
    await this.#hold(definition, tap, attach);
  }

  async #hold(
    definition: GuestDefinition,
    tap: string,
    attach: () => Promise<GuestInstance>,
  ): Promise<void> {
    const { host, guests, network, records } = this.#context;
    refuseAnchor(host, `${definition.name} cannot be taken in`);
    {
      using _held = await network.hold();
      const record = await recordAtHome(host, definition, records.all(), network.routing);
      const hosting = record.hosting && { ...record.hosting, tap };
      await network.changeWhileHeld({ ...record, hosting });
    }
    try {
      guests.adopt(await attach());
    } catch (error) {
      await network.forget(definition.name);
      throw error;
    }
  }

  /** @throws SojournError `SOJ_GUEST_EXISTS` for the name of a guest that is defined, or known to be somewhere. */
  refuseKnown(name: string): void {
    checkName("guest", name);
    const { host, guests } = this.#context;
    if (!guests.names().includes(name)) return;
    throw preconditionError("SOJ_GUEST_EXISTS", `${host.name} has a guest ${name} already`, {
      guestState: "untouched",
      hint: `choose another name, or look at that one: sojourn guest show ${name}`,
    });
  }

  /**
   * Forgets a guest that goes on in the process that was adopted, or one of libvirt's that does not run. `detach` lets go
   * of the process, and decides.
   * @throws SojournError `SOJ_GUEST_UNKNOWN`, `SOJ_GUEST_BUSY`, `SOJ_GUEST_NOT_HERE`, `SOJ_NOT_ADOPTED`
   */
  async letGo(name: string, detach: (instance: GuestInstance) => Promise<void>): Promise<void> {
    const { guests, network, records } = this.#context;
    const { hypervisor } = guests.definition(name);
    using _reserved = guests.reserve(name);
    if (hypervisor === "libvirt" && records.get(name) === undefined) {
      removeDefinition(this.#definitions, name);
      return;
    }
    const instance = this.#adopted(name);
    // Before the process is let go of: a definition alone could be started beside it.
    removeDefinition(this.#definitions, name);
    guests.release(instance);
    await detach(instance);
    await network.forget(name);
  }

  /**
   * Lets go of a process that its owner has ended and replaced by another, on another tap; the guest stays defined.
   * `detach` lets go of the process.
   */
  async drop(instance: GuestInstance, detach: () => Promise<void>): Promise<void> {
    const { guests, network } = this.#context;
    using _reserved = guests.reserve(instance.guest);
    guests.release(instance);
    await detach();
    await network.forget(instance.guest);
  }

  /** Writes the definitions that a daemon that died had no time to write. */
  complete(): void {
    const defined = new Set(definedNames(this.#definitions));
    for (const { guest, isAdopted, definition } of this.#context.guests.instances()) {
      const isHere = this.#context.records.get(guest)?.hosting?.tap !== undefined;
      if (isAdopted && isHere && !defined.has(guest))
        writeDefinition(this.#definitions, definition);
    }
  }

  #adopted(name: string): GuestInstance {
    const { host, guests, records } = this.#context;
    const record = records.get(name);
    const instance = guests.instance(name);
    const hint = `sojourn guest show ${name}`;
    if (record?.migration) {
      const message = `${name} is being migrated (${record.migration.id})`;
      throw preconditionError("SOJ_GUEST_BUSY", message, { hint });
    }
    if (record === undefined || instance === undefined) {
      throw preconditionError(
        "SOJ_GUEST_NOT_HERE",
        `${name} ${placeOf(record, host.name, "none")}`,
        {
          hint,
        },
      );
    }
    if (instance.isAdopted && record.hosting?.tap !== undefined) return instance;
    if (record.definition.hypervisor === "libvirt") throw onOwnTap(name);
    throw preconditionError(
      "SOJ_NOT_ADOPTED",
      `${name} runs in a process that Sojourn started, on a tap of Sojourn's`,
      { hint: `to end it: sojourn guest stop ${name}` },
    );
  }
}

function onOwnTap(name: string): SojournError {
  return preconditionError(
    "SOJ_NOT_ADOPTED",
    `${name} came here by a migration, onto a tap of Sojourn's that it would lose`,
    {
      guestState: "untouched",
      hint: `at its home, libvirt gives it its own tap again at its next start: virsh shutdown ${name}, virsh start ${name}`,
    },
  );
}
