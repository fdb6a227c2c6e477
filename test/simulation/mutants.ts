import type { GuestInstance, Hypervisor } from "../../src/hypervisor/hypervisor.ts";
import type { Journal } from "../../src/migrator/journal.ts";
import { decodeJournal } from "../../src/migrator/journal-format.ts";
import type { JournalStep } from "../../src/migrator/journal-record.ts";
import { startTimer } from "../../src/platform/clock.ts";
import type { PeerContext } from "../../src/platform/procedures.ts";
import type { Mutation } from "./world/mutation.ts";

/** What a mutant leads to: two copies, or one that is behind the other. */
export const splitBrain = /^two copies run|runs a copy that is older/;

/** Mistakes that the simulation must find, each made at a door between our code and the world. */
export const mutants = {
  "destination-without-S": { startsRunning: true },
  "promise-after-continue": {
    daemon: (journal, hypervisor) =>
      writeAfter(journal, "promise", hypervisor, "continueMigration"),
  },
  "takeover-after-cont": {
    firstSeed: 4_650,
    daemon: (journal, hypervisor) => writeAfter(journal, "takeover", hypervisor, "cont"),
  },
  "no-stop-first": {
    firstSeed: 2_700,
    // Where QEMU itself waits for the stop, the guest would only stand still.
    schedule: { held: false },
    daemon: (_journal, hypervisor) =>
      onEachInstance(hypervisor, (instance) => {
        const runState = instance.runState.bind(instance);
        let pretends = false;
        const listen = instance.onEvent.bind(instance);
        const listeners = new Set<Parameters<typeof listen>[0]>();
        instance.onEvent = (listener) => {
          listeners.add(listener);
          const unlisten = listen(listener);
          return () => {
            listeners.delete(listener);
            unlisten();
          };
        };
        const stop = { name: "STOP", data: {}, timestampMs: 0, receivedMs: 0 };
        // QEMU stops the guest by itself, as the raised downtime limit makes it.
        instance.stop = async () => {
          pretends = true;
          for (const listener of listeners) listener(stop);
        };
        instance.runState = async () => {
          if (!pretends) return await runState();
          pretends = false;
          return "paused";
        };
      }),
  },
  /** Neither messages nor the journal's answers are told apart by their migration. */
  "no-epoch-check": {
    leadsTo: /^the guest is nowhere|guest-lost, but nobody killed it|while the guest runs on/,
    daemon: (journal, _hypervisor, storage) => {
      journal.has = (_id, step) => {
        const { records } = decodeJournal(storage.read(journal.path) ?? Buffer.alloc(0));
        return records.some((record) => record.step === step);
      };
    },
    handlers: (handlers, { records }) =>
      Object.fromEntries(
        Object.entries(handlers).map(([name, handle]) => [
          name,
          async (request: { id: string; guest: string; epoch: number }, context) => {
            const current = records.get(request.guest)?.migration;
            const { id, epoch } = current ?? request;
            return await handle({ ...request, id, epoch } as never, context);
          },
        ]),
      ),
  },
  "abort-beside-takeover": {
    handlers: (handlers, { journal }) => {
      const abort = async (request: { id: string; guest: string; epoch: number }) => {
        const { id: migration, guest, epoch } = request;
        journal.append({ step: "abort", migration, guest, epoch, role: "destination" });
        return { state: "aborted", takeover_ms: null, resume_ms: null };
      };
      return { ...handlers, abort, settle: abort };
    },
  },
  "gates-not-heeded": {
    leadsTo: /was denied, and is completed/,
    gates: (gates) => ({
      concerns: (point, guest) => gates.concerns(point, guest),
      of: (guest) => gates.of(guest),
      ask: (...asked) => gates.ask(...asked).catch(() => {}),
    }),
  },
  "takeover-without-the-seal": {
    schedule: { seals: true },
    daemon: (_journal, hypervisor) =>
      onEachInstance(hypervisor, (instance) => {
        if (instance.incoming) Object.assign(instance, { sealsStream: false });
      }),
  },
  "seal-before-the-promise": {
    schedule: { seals: true },
    daemon: (journal) => {
      const within = journal.appendWithin.bind(journal);
      const pending = new Set<string>();
      journal.appendWithin = async (record, withinMs) => {
        if (record.step !== "promise") return await within(record, withinMs);
        pending.add(record.migration);
        startTimer(() => void within(record, withinMs).catch(() => {}), 20);
      };
      const has = journal.has.bind(journal);
      journal.has = (id, step) => has(id, step) || (step === "promise" && pending.has(id));
    },
  },
  /** The source runs its copy on a word that the destination has not written yet. */
  "resumed-before-the-abort": {
    schedule: { seals: true },
    handlers: (handlers) => {
      const settle = async (...asked: [never, PeerContext]) => {
        startTimer(() => void handlers.settle?.(...asked).catch(() => {}), 50);
        return { state: "aborted", takeover_ms: null, resume_ms: null };
      };
      return { ...handlers, settle };
    },
  },
  /** Home sends the guest's packets on before it has been taken over there. */
  "home-follows-too-early": {
    leadsTo: /^packets to the guest on/,
    handlers: (handlers) => ({
      ...handlers,
      "confirm-repoint": async (request: { guest: string; epoch: number }, context) => {
        const answer = await handlers["confirm-repoint"]?.(request as never, context);
        const { guest, epoch } = request;
        await handlers.repoint?.({ guest, epoch, tunnel_kind: "ipip" } as never, context);
        return answer;
      },
    }),
  },
  /** The source forgets the guest while its home still sends there. */
  "home-not-waited-for": {
    leadsTo: /^packets to the guest on/,
    handlers: (handlers) => ({ ...handlers, "await-repoint": async () => ({}) }),
  },
  /** Home believes whoever says that the guest is there, whenever that was, and asks no other host. */
  "old-word-believed-at-home": {
    leadsTo: /^packets to the guest on|record is wrong for a guest/,
    schedule: { duplicates: 0.3, afterwards: ["host-b", "host-c", "host-b"] },
    handlers: (handlers, { records }) => ({
      ...handlers,
      repoint: async (request: { guest: string }, context) => {
        const { epoch = 0, redirect } = records.get(request.guest) ?? {};
        const newer = 1 + Math.max(epoch, redirect?.next?.epoch ?? 0);
        return await handlers.repoint?.({ ...request, epoch: newer } as never, context);
      },
      "migration-facts": async (request: { id: string }, context) =>
        request.id === "none"
          ? { run_state: "none", held: false, journal: [] }
          : await handlers["migration-facts"]?.(request as never, context),
    }),
  },
  "no-lease": { firstSeed: 600, lostTimerMs: 30_000, leadsTo: /is left over: inmigrate/ },
  "no-fdatasync": { withoutSync: true, firstSeed: 5_000 },
} satisfies Record<string, Mutation>;

export type MutantName = keyof typeof mutants;

export function isMutant(name: string): name is MutantName {
  return Object.hasOwn(mutants, name);
}

/** The record of `step` is written only when QEMU has done what it must precede. */
function writeAfter(
  journal: Journal,
  step: JournalStep,
  hypervisor: Hypervisor,
  command: "continueMigration" | "cont",
): void {
  const append = journal.append.bind(journal);
  const has = journal.has.bind(journal);
  let late: (() => void)[] = [];
  const pending = new Set<string>();
  journal.append = (record) => {
    if (record.step !== step) return append(record);
    pending.add(record.migration);
    late.push(() => append(record));
  };
  const appendWithin = journal.appendWithin.bind(journal);
  journal.appendWithin = async (record, withinMs) => {
    if (record.step === step) journal.append(record);
    else await appendWithin(record, withinMs);
  };
  journal.has = (id, asked) => has(id, asked) || (asked === step && pending.has(id));
  onEachInstance(hypervisor, (instance) => {
    const carryOut = instance[command].bind(instance);
    instance[command] = async () => {
      await carryOut();
      const written = late;
      late = [];
      for (const write of written) write();
    };
  });
}

function onEachInstance(hypervisor: Hypervisor, change: (instance: GuestInstance) => void): void {
  const { startIncoming, findInstances } = hypervisor;
  hypervisor.startIncoming = async (...asked) => {
    const instance = await startIncoming(...asked);
    change(instance);
    return instance;
  };
  hypervisor.findInstances = async () => {
    const instances = await findInstances();
    for (const instance of instances) change(instance);
    return instances;
  };
}
