import type { ProcedureHandlers } from "../platform/procedures.ts";
import { checkAdmissible, refuseFromElsewhere } from "./admission.ts";
import { type Arrival, Arrivals, type Identity } from "./arrivals.ts";
import { DestinationMigration } from "./destination.ts";
import { checkEpoch } from "./epochs.ts";
import { GuestAddresses } from "./guest-addresses.ts";
import { noteGuestEnded } from "./guest-ended.ts";
import type { HostContext } from "./host-context.ts";
import type { Listening } from "./incoming-process.ts";
import { planArrival } from "./incoming-record.ts";
import { migrationFacts, runStateOrGone } from "./migration-facts.ts";
import { forOwnSource } from "./own-source.ts";
import { answerFromJournal, isFinished } from "./past-arrivals.ts";
import type { migrationProcedures } from "./procedures.ts";
import type { GuestRecord } from "./records.ts";
import { streamOf } from "./stream-features.ts";
import { supersede } from "./superseded.ts";

/** The migrations that arrive at this host, and what their sources may ask. */
export class Destinations {
  readonly #context: HostContext;
  readonly #arrivals: Arrivals;
  readonly #addresses: GuestAddresses;

  constructor(context: HostContext) {
    this.#context = context;
    this.#arrivals = new Arrivals(context.logger);
    this.#addresses = new GuestAddresses(context);
  }

  /** The serving side of `migrationProcedures`. A migration's own source alone has a say in it. */
  handlers(): ProcedureHandlers<typeof migrationProcedures> {
    return forOwnSource(this.#context, this.#handlers());
  }

  /** A migration brings the guest here, from the first word of its source on. */
  isArriving(guest: string): boolean {
    return this.#arrivals.isArriving(guest);
  }

  /** The same, of a migration that others began with libvirt. */
  isFollowing(guest: string): boolean {
    return this.#arrivals.isFollowing(guest);
  }

  #handlers(): ProcedureHandlers<typeof migrationProcedures> {
    const { network, host } = this.#context;
    return {
      "plan-incoming": async (request, { peer }) => {
        this.#admit(request, peer);
        const { guest, renumber } = request;
        const renumbered =
          renumber === undefined ? undefined : this.#addresses.likely(renumber, guest);
        const lines = await planArrival(this.#context, request, peer, renumbered);
        return { lines, ...(renumbered === undefined ? {} : { renumbered }) };
      },
      prepare: async (request, { peer }) => {
        this.#admit(request, peer);
        const before = this.#context.records.get(request.guest);
        const entry = this.#arrivals.add(new DestinationMigration(this.#context, request, before));
        const listening = await entry.lock.run(() =>
          entry.migration.prepare(request, peer, this.#addresses),
        );
        const { sourceTunnel: spec, renumbered } =
          this.#context.records.get(request.guest)?.hosting ?? {};
        if (!spec) throw new Error("prepared without a tunnel");
        const { datapath, mtu } = network.tunnelInterface(spec);
        return {
          ...described(listening),
          ...streamOf(listening.features),
          ...(host.streamAddress ? { migration_address: host.streamAddress } : {}),
          tunnel: { kind: spec.kind, datapath, mtu },
          ...(renumbered === undefined ? {} : { renumbered }),
        };
      },
      "open-barrier": (request) =>
        this.#locked(request, async (migration) => {
          await migration.openBarrier(request.barrier_address, request.home_barrier_address);
          return {};
        }),
      "close-barrier": (request) =>
        this.#locked(request, async (migration) => {
          await migration.closeBarrier();
          return {};
        }),
      "renew-incoming": (request) =>
        this.#locked(request, async (migration) => described(await migration.renew(request.offer))),
      state: async (request) => {
        const migration = this.#arrivals.find(request)?.migration;
        if (migration === undefined) return answerFromJournal(this.#context, request);
        if (request.inbound !== undefined) await migration.expect(request.inbound);
        if (request.post_copy) migration.awaitHandover();
        return await migration.state.wait(request.wait_ms);
      },
      seal: async (request) => {
        await this.#demand(request).migration.seal();
        return {};
      },
      settle: async (request) => {
        const entry = this.#arrivals.find(request);
        if (entry === undefined) return answerFromJournal(this.#context, request);
        const { grace_ms, promised, post_copy: postCopy } = request;
        return await entry.lock.run(() => entry.migration.settle(grace_ms, { promised, postCopy }));
      },
      abort: async (request) => {
        const entry = this.#arrivals.find(request);
        if (entry === undefined) return answerFromJournal(this.#context, request);
        return await entry.lock.run(() => entry.migration.abort());
      },
      "recover-post-copy": async (request) =>
        (await this.#unfinished(request)?.migration.postCopy.recover()) ?? { state: "whole" },
      "lose-post-copy": async (request) => ({
        copy: (await this.#unfinished(request)?.migration.postCopy.lose()) ?? "whole",
      }),
      verify: async (request) => {
        const migration = this.#unfinished(request)?.migration;
        await migration?.networkSettled();
        const packets_dropped = (await migration?.network.packetsDropped()) ?? null;
        const run_state = await runStateOrGone(this.#context, request.guest);
        return { run_state, network_settled: true, packets_dropped };
      },
      "await-repoint": async (request) => {
        await this.#unfinished(request)?.migration.homeFollows();
        return {};
      },
      finish: async (request) => {
        const entry = this.#unfinished(request);
        await entry?.lock.run(async () => {
          // The request before may have been the same one.
          if (!isFinished(this.#context, request)) await entry.migration.finish();
          this.#arrivals.drop(request.id);
        });
        return {};
      },
      "carry-flows": (request) => this.#demand(request).migration.flows.install(request.flows),
      "reset-flows": async (request) => ({
        flows: await this.#demand(request).migration.flows.reset(),
      }),
      supersede: (request) => this.#supersede(request),
      "migration-facts": (request) => migrationFacts(this.#context, request),
      "guest-ended": async (request, { peer }) => {
        await noteGuestEnded(this.#context, request.guest, peer);
        return {};
      },
    };
  }

  /** Goes on with what an earlier daemon prepared here; `networkReady` resolves once guests may land. */
  async recover(networkReady: Promise<void> = Promise.resolve()): Promise<void> {
    const arriving = this.#context.records.all().map(async (record) => {
      if (record.migration?.role !== "destination") return;
      if (this.#context.journal.isHeld(record.guest)) return;
      await this.#recoverOne(record.migration, record, networkReady);
    });
    await Promise.all(arriving);
  }

  /**
   * Goes on with a migration about which an operator has decided in writing: takes the guest for good, or gives it up.
   */
  async goOn(record: GuestRecord): Promise<void> {
    if (record.migration === null) return;
    const { id } = record.migration;
    if (this.#arrivals.get(id) !== undefined) await this.#carryOut(id);
    else await this.#recoverOne(record.migration, record, Promise.resolve());
  }

  /** One guest's trouble must not keep the daemon, and with it all others, down; the source asks again. */
  async #recoverOne(
    { id, epoch }: { id: string; epoch: number },
    record: GuestRecord,
    networkReady: Promise<void>,
  ): Promise<void> {
    const { guests, journal, logger } = this.#context;
    const identity = { id, guest: record.guest, epoch };
    try {
      if (journal.has(id, "superseded")) {
        await supersede(this.#context, { ...identity, new_epoch: epoch + 1 });
        return;
      }
      // Before anything that gives it up in writing: it may not be possible now.
      if (journal.has(id, "resolved-source")) await guests.end(record.guest);
      const isKnown = record.redirect !== null || record.departed !== undefined;
      const before = isKnown ? { ...record, hosting: null, migration: null } : undefined;
      const followed = record.migration?.followed;
      const entry = this.#arrivals.add(
        new DestinationMigration(this.#context, { ...identity, followed }, before),
      );
      const takenOver = journal.has(id, "takeover");
      await entry.migration.recover(guests.instance(record.guest), takenOver, networkReady);
      if (journal.has(id, "resolved-destination")) await this.#carryOut(id);
    } catch (error) {
      logger.error({ ...identity, err: error }, "recovery failed");
    }
  }

  /** The source is not waited for any more. */
  async #carryOut(id: string): Promise<void> {
    const entry = this.#arrivals.get(id);
    if (entry === undefined) return;
    if (this.#context.journal.has(id, "resolved-source")) {
      await entry.lock.run(() => entry.migration.abort());
      return;
    }
    await entry.migration.seal();
    await entry.migration.state.wait(10_000);
    if (this.#context.journal.has(id, "post-copy")) await entry.migration.postCopy.lose();
    await entry.lock.run(() => entry.migration.finish());
    this.#arrivals.drop(id);
  }

  /** Lets go of timers; nothing in the kernel or in QEMU changes. */
  [Symbol.dispose](): void {
    this.#arrivals[Symbol.dispose]();
  }

  /** An operator has kept the guest at its source: what is here of it ends, whatever was taken over. */
  async #supersede(request: Identity & { new_epoch: number }) {
    const { journal } = this.#context;
    const { id, guest } = request;
    const mayHaveRun = journal.has(id, "takeover") || journal.has(id, "superseded");
    if (!mayHaveRun && !journal.isHeld(guest)) {
      const entry = this.#arrivals.get(id);
      const { state } =
        entry === undefined
          ? answerFromJournal(this.#context, request)
          : await entry.lock.run(() => entry.migration.abort());
      if (state === "aborted") return { copy: "none" as const };
    }
    const copy = await supersede(this.#context, request);
    this.#arrivals.drop(request.id);
    return { copy };
  }

  #admit(request: Parameters<typeof checkAdmissible>[1], peer: string): void {
    checkAdmissible(this.#context, request, this.#arrivals.isArriving(request.guest));
    refuseFromElsewhere(this.#context.records.get(request.guest), peer);
  }

  #demand(identity: Identity): Arrival {
    const entry = this.#arrivals.find(identity);
    if (entry === undefined) {
      this.#context.journal.refuseHeld(identity.guest);
      checkEpoch(this.#context.records.get(identity.guest), identity, "destination");
      throw new Error("a record without its migration");
    }
    return entry;
  }

  /**
   * Null for a migration that is over here; a source that was restarted asks again. While its end is being made the
   * record says so already, and takes it back when the kernel refuses.
   */
  #unfinished(identity: Identity): Arrival | null {
    const entry = this.#arrivals.find(identity);
    if (entry === undefined && isFinished(this.#context, identity)) return null;
    return entry ?? this.#demand(identity);
  }

  async #locked<Result>(
    identity: Identity,
    work: (migration: DestinationMigration) => Promise<Result>,
  ): Promise<Result> {
    const entry = this.#demand(identity);
    return await entry.lock.run(() => work(entry.migration));
  }
}

function described({ port, answer }: Listening) {
  return { migration_port: port, ...(answer === undefined ? {} : { answer }) };
}
