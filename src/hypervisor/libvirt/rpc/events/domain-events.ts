import { type Infer, int32, struct, type XdrType } from "@stellar/js-xdr";
import type { Fields } from "../procedure.ts";
import { Program } from "../programs.ts";
import { domain } from "../xdr/domain.ts";
import { text } from "../xdr/text.ts";
import { typedParameters } from "../xdr/typed-parameter.ts";

/** Every event begins with the number of the registration that it is for. */
export interface EventMessage {
  readonly callbackId: number;
}

/** A kind of event that libvirt can be asked to tell of. */
export interface EventKind<Message extends EventMessage> {
  readonly name: string;
  readonly program: number;
  /** Number of the packets that carry it. */
  readonly procedure: number;
  readonly message: XdrType<Message>;
}

/** One that `connect_domain_event_callback_register_any` registers. */
export interface DomainEventKind<Message extends EventMessage> extends EventKind<Message> {
  /** `virDomainEventID`. */
  readonly eventId: number;
}

const common = { callbackId: int32(), domain };

/** @see LifecycleEvent */
export const lifecycleEvent = kind("lifecycle", 0, 318, { event: int32(), detail: int32() });

export const rebootEvent = kind("reboot", 1, 319, {});

/** A disk failed; `action` is what became of the guest: 0 nothing, 1 paused, 2 was told. */
export const ioErrorEvent = kind("io-error", 6, 324, {
  path: text(),
  device: text(),
  action: int32(),
  reason: text(),
});

/** libvirt no longer understands QEMU's monitor. */
export const controlErrorEvent = kind("control-error", 7, 325, {});

export const deviceRemovedEvent = kind("device-removed", 15, 333, { device: text() });

export const deviceAddedEvent = kind("device-added", 19, 354, { device: text() });

/** A migration begins its `iteration`th pass over the memory. */
export const migrationIterationEvent = kind("migration-iteration", 20, 359, { iteration: int32() });

/** A job has ended, with its statistics; that of a migration at the source, when it is confirmed. @see JobField */
export const jobCompletedEvent = kind("job-completed", 21, 363, { parameters: typedParameters });

/** All of them. */
export const domainEvents: readonly EventKind<EventMessage>[] = [
  lifecycleEvent,
  rebootEvent,
  ioErrorEvent,
  controlErrorEvent,
  deviceRemovedEvent,
  deviceAddedEvent,
  migrationIterationEvent,
  jobCompletedEvent,
];

export type LifecycleMessage = Infer<typeof lifecycleEvent.message>;

function kind<const Own extends Fields>(
  name: string,
  eventId: number,
  procedure: number,
  fields: Own,
) {
  const message = struct(name, { ...common, ...fields });
  return { name, program: Program.remote, procedure, eventId, message } as const;
}
