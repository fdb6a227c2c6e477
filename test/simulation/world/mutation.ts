import type { Hypervisor } from "../../../src/hypervisor/hypervisor.ts";
import type { Gates } from "../../../src/migrator/gates.ts";
import type { Journal } from "../../../src/migrator/journal.ts";
import type { RecordStore } from "../../../src/migrator/record-store.ts";
import type { Storage } from "../../../src/platform/storage.ts";
import type { Schedule } from "../schedule.ts";
import type { Handlers } from "./messenger.ts";

/** A mistake that is made on purpose, at the doors between our code and the world. */
export interface Mutation {
  /** Destinations are started without `-S`. */
  startsRunning?: boolean;
  /** fdatasync returns at once. */
  withoutSync?: boolean;
  /** Timers of this length never fire. */
  lostTimerMs?: number;
  /** In every schedule. */
  schedule?: Partial<Schedule>;
  /** Where to begin when the first schedules that show it come late; by default at 1. */
  firstSeed?: number;
  /** What has to be found; without it, that the guest runs twice. */
  leadsTo?: RegExp;
  /** Changes how a daemon's journal and its hypervisor's instances behave. */
  daemon?(journal: Journal, hypervisor: Hypervisor, storage: Storage): void;
  gates?(gates: Gates): Gates;
  handlers?(handlers: Handlers, host: { journal: Journal; records: RecordStore }): Handlers;
}
