import { libvirtDisabledError } from "../hypervisor/host-hypervisors.ts";
import type { GuestEvent, GuestInstance } from "../hypervisor/hypervisor.ts";
import { delay } from "../platform/clock.ts";
import { preconditionError } from "../platform/errors.ts";
import { persistently } from "../platform/retry.ts";
import { waitAtMost } from "../platform/waiting.ts";
import type { FollowedDomains } from "./followed-domains.ts";
import type { HostContext } from "./host-context.ts";
import type { ArrivingRecord, Listening, ReceivingProcess } from "./incoming-process.ts";

/** States in which a domain that libvirt receives does not hold its guest yet, or not any more. */
const withoutGuest = ["inmigrate", "prelaunch", "postmigrate", "finish-migrate", "shutdown"];

/** libvirt ends a domain that did not arrive 1–2 s after its source runs again. */
const endingMs = 8_000;

const settleQuestionMs = 300;

/**
 * The domain in which libvirt receives a guest by itself: it makes it, runs it and ends it. Here it is only found, and
 * followed.
 */
export class FollowedProcess implements ReceivingProcess {
  readonly #context: Pick<HostContext, "guests" | "logger">;
  readonly #domains: FollowedDomains;
  readonly #told: { onLoaded: () => void; onEnded: (instance: GuestInstance) => void };
  #record: ArrivingRecord | null = null;
  #instance: GuestInstance | null = null;
  #unlisten: () => void = () => {};
  #taking: Promise<unknown> | null = null;
  /** Wall clock, as QEMU stamped it; null for one that has not been seen to run. */
  resumedMs: number | null = null;

  constructor(
    context: Pick<HostContext, "guests" | "logger">,
    domains: FollowedDomains,
    told: { onLoaded: () => void; onEnded: (instance: GuestInstance) => void },
  ) {
    this.#context = context;
    this.#domains = domains;
    this.#told = told;
  }

  get instance(): GuestInstance | null {
    return this.#instance;
  }

  /** From now on the guest's domain is looked out for. libvirt chooses the port. */
  async start(record: ArrivingRecord): Promise<Listening> {
    this.#record = record;
    this.#unlisten = this.#domains.onDomainStarted(({ name }) => {
      if (name === record.guest) void this.#take(4_000);
    });
    return { port: 0 };
  }

  adopt(instance: GuestInstance): void {
    this.#instance = instance;
    this.#context.guests.adopt(instance);
    instance.onEvent((event) => this.#note(event));
    void instance.ended.then(() => this.#told.onEnded(instance));
    void this.isLoaded()
      .then((loaded) => loaded && this.#told.onLoaded())
      .catch(() => {});
  }

  async discard(): Promise<void> {
    throw new Error("libvirt's own stream is not begun again");
  }

  /** @throws SojournError `SOJ_LIBVIRT_HOLDS_GUEST` while libvirt has the domain: it may run at any moment. */
  async end(): Promise<void> {
    const instance = this.#instance;
    if (instance?.isAlive()) await waitAtMost(endingMs, instance.ended);
    if (instance === null) await this.#take(0);
    if (this.#instance?.isAlive()) throw held(this.#instance.guest);
    this.#unlisten();
    if (instance === null) return;
    this.#context.guests.release(instance);
    await instance[Symbol.asyncDispose]();
  }

  /** True too for one that is still to come. */
  isAlive(): boolean {
    return this.#instance?.isAlive() ?? this.#record !== null;
  }

  async isLoaded(): Promise<boolean> {
    if (this.#instance === null) await this.#take(0);
    if (!this.#instance?.isAlive()) return false;
    const isLoaded = !withoutGuest.includes(await this.#instance.runState());
    // The next domain of this name is another migration's.
    if (isLoaded) this.#unlisten();
    return isLoaded;
  }

  /** libvirt ends a process whose stream has failed. */
  async hasFailed(): Promise<boolean> {
    return false;
  }

  async isLoadedSoon(): Promise<boolean> {
    const silent = delay(settleQuestionMs).then(() => false);
    return await Promise.race([this.isLoaded().catch(() => false), silent]);
  }

  #note(event: GuestEvent): void {
    if (event.name !== "RESUME") return;
    this.resumedMs ??= event.timestampMs;
    this.#unlisten();
    this.#told.onLoaded();
  }

  /** Resolves when the domain is ours to follow, or there is none. @throws SojournError when libvirt does not answer */
  async #take(forMs: number): Promise<void> {
    const record = this.#record;
    if (record === null || this.#instance?.isAlive()) return;
    this.#taking ??= this.#takeOnce(record, forMs).finally(() => {
      this.#taking = null;
    });
    await this.#taking;
  }

  async #takeOnce({ guest, definition }: ArrivingRecord, forMs: number): Promise<void> {
    const take = async () => {
      const { uuid } = definition;
      if (uuid === undefined) throw new Error(`${guest} has no UUID`);
      this.adopt(await this.#domains.adoptDomain({ definition, uuid }));
    };
    if (forMs > 0) {
      await persistently(`taking hold of ${guest}`, this.#context.logger, take, forMs);
      return;
    }
    await take().catch((error: unknown) => {
      if ((error as { code?: string }).code !== "SOJ_HYPERVISOR_GONE") throw error;
    });
  }
}

/** @throws SojournError `SOJ_LIBVIRT_DISABLED` on a host that takes in none of libvirt's guests */
export function followedProcess(
  context: HostContext,
  told: ConstructorParameters<typeof FollowedProcess>[2],
): FollowedProcess {
  const { host, domains } = context;
  if (domains !== undefined) return new FollowedProcess(context, domains, told);
  throw libvirtDisabledError(host.name);
}

function held(guest: string): Error {
  return preconditionError("SOJ_LIBVIRT_HOLDS_GUEST", `libvirt still receives ${guest} here`, {
    retryable: true,
    hint: `virsh domjobinfo ${guest}`,
  });
}
