import { z } from "zod";
import { guestDefinitionSchema } from "../hypervisor/definition.ts";
import { guestMigrationSchema } from "../hypervisor/guest-migration.ts";
import { namePattern } from "../platform/names.ts";
import { definePeerProcedures } from "../platform/procedures.ts";
import { tunnelKinds } from "../tunnels/tunnel.ts";
import { flowProcedures } from "./flow-procedures.ts";
import { homeSchema } from "./records.ts";
import { strategySchema } from "./strategy-schema.ts";
import { streamSchema } from "./stream-features.ts";

const name = z.string().regex(namePattern);
/** Every message about a migration carries its id and fencing epoch. */
const identity = { id: name, guest: name, epoch: z.int().nonnegative() };
const planLine = z.object({ command: z.string(), undo: z.string().nullable() });
const tunnel = z.object({
  kind: z.enum(tunnelKinds),
  datapath: z.enum(["kernel", "bpf"]),
  mtu: z.int().positive(),
});

const renumberWish = z.union([z.literal("auto"), z.ipv4()]);

/** Base64. */
const cookie = z
  .string()
  .max(262_144)
  .regex(/^[A-Za-z0-9+/]*={0,2}$/);
/** Of hypervisors that have more to tell each other than the definition (`StreamOffer`). */
const offer = z.strictObject({ description: z.string().max(131_072), cookie });
const answer = z.strictObject({ cookie });

const preparation = z.strictObject({
  ...identity,
  definition: guestDefinitionSchema,
  home: homeSchema,
  source_underlay_address: z.ipv4(),
  tunnel_kind: z.enum(tunnelKinds),
  /** False for a guest that its user had paused. */
  resume: z.boolean(),
  /** The network follows the guest only when the source asks to verify: a benchmark's strategy. */
  lands_late: z.boolean(),
  offer: offer.optional(),
  /** What the stream may use; absent: nothing that not every QEMU has. */
  stream: streamSchema.optional(),
  /** libvirt makes the domain, and sends it, by itself. */
  followed: z.boolean().optional(),
  /** An address of the destination's guest subnets that the guest is to have too, or any that is free. */
  renumber: renumberWish.optional(),
});

/** What may have to wait in the guest's tap, once before arming. */
const expectedInbound = z.strictObject({
  packets_per_second: z.number().min(0).max(1e9),
  budget_ms: z.number().min(0).max(3_600_000),
  /** What waits in the tap by now is thrown away. */
  afresh: z.boolean().optional(),
});

/** What a destination knows of a migration. Times are its wall clock; null for what did not happen. */
const destinationState = z.object({
  state: z.enum(["incoming", "taken-over", "aborted"]),
  takeover_ms: z.number().nullable(),
  resume_ms: z.number().nullable(),
});

/** What one host knows of a migration. */
const migrationFacts = z.object({
  /** QEMU's word, or `none` where there is no process. */
  run_state: z.string().max(40),
  /** The journal is damaged: some of its records may be missing. */
  held: z.boolean(),
  /** The process here has handed the guest over by post-copy: it can never run it again. */
  handed_over: z.boolean().optional(),
  journal: z
    .array(
      z.object({
        at: z.string().max(40),
        role: z.enum(["source", "destination"]),
        step: z.string().max(40),
        epoch: z.int(),
      }),
    )
    .max(100),
});

/** Facts of one host about a migration, as its operator and its peer are told. */
export type HostMigrationFacts = z.output<typeof migrationFacts>;

export type DestinationState = z.output<typeof destinationState>;

/** What a source asks of a destination, in the order of a migration. */
export const migrationProcedures = definePeerProcedures({
  "plan-incoming": {
    request: preparation,
    response: z.object({
      lines: z.array(planLine).max(1000),
      /** The address that the guest would get here, unless somebody turns out to have it. */
      renumbered: z.ipv4().optional(),
    }),
    timeoutMs: 20_000,
  },
  prepare: {
    request: preparation,
    response: z.object({
      /** 0: it is not ours to choose. */
      migration_port: z.int().min(0).max(65_535),
      /** Where its stream is taken; absent for the underlay address. */
      migration_address: z.ipv4().optional(),
      tunnel,
      answer: answer.optional(),
      /** What is set of what the stream may use. */
      stream: streamSchema.optional(),
      /** The guest's address here, when it was to have one. */
      renumbered: z.ipv4().optional(),
    }),
    timeoutMs: 60_000,
  },
  "open-barrier": {
    request: z.strictObject({
      ...{ ...identity, barrier_address: z.ipv4() },
      /** Where home asks from too, when it is a third host. */
      home_barrier_address: z.ipv4().optional(),
    }),
    response: z.object({}),
    timeoutMs: 20_000,
  },
  "close-barrier": {
    request: z.strictObject(identity),
    response: z.object({}),
    timeoutMs: 20_000,
  },
  /** A new, empty incoming process after a stream was given up before the promise. */
  "renew-incoming": {
    request: z.strictObject({ ...identity, offer: offer.optional() }),
    response: z.object({
      migration_port: z.int().min(1).max(65_535),
      answer: answer.optional(),
    }),
    timeoutMs: 30_000,
  },
  /**
   * Makes room in the tap for the packets that `inbound` lets expect. Answers at once unless the state is `incoming`;
   * then when that changes, or after `wait_ms`.
   */
  state: {
    request: z.strictObject({
      ...identity,
      wait_ms: z.int().min(0).max(30_000),
      inbound: expectedInbound.optional(),
      /** The source is about to hand the guest over by post-copy: from now on its word alone ends the arrival. */
      post_copy: z.boolean().optional(),
    }),
    response: destinationState,
    timeoutMs: 35_000,
  },
  /**
   * The source has promised never to run its copy again: of guests whose stream goes to its end by itself
   * (`GuestInstance.sealsStream`), and that are not taken over before.
   */
  seal: { request: z.strictObject(identity), response: z.object({}), timeoutMs: 5_000 },
  /**
   * Takes over if the whole stream is loaded within `grace_ms`, aborts in writing otherwise; either way the answer is
   * final, and given before this host's network follows.
   */
  settle: {
    request: z.strictObject({
      ...identity,
      grace_ms: z.int().min(0).max(10_000),
      /** The source has promised (`seal`). */
      promised: z.boolean().optional(),
      /** It cannot have the guest back: while the process lives nothing is aborted, and `incoming` is no final answer. */
      post_copy: z.boolean().optional(),
    }),
    response: destinationState,
    timeoutMs: 20_000,
  },
  /** Aborts in writing unless it has taken over; the answer says which. */
  abort: { request: z.strictObject(identity), response: destinationState, timeoutMs: 30_000 },
  /**
   * While the guest's memory follows by post-copy, and its connection is broken: where the next one is awaited. Says instead
   * when all of it is there, or when its process has ended.
   */
  "recover-post-copy": {
    request: z.strictObject(identity),
    response: z.discriminatedUnion("state", [
      z.object({
        state: z.literal("listening"),
        address: z.ipv4(),
        port: z.int().min(1).max(65_535),
      }),
      z.object({ state: z.literal("whole") }),
      z.object({ state: z.literal("gone") }),
    ]),
    timeoutMs: 15_000,
  },
  /** Nothing of the guest's memory will come any more: a process here that has not all of it ends. */
  "lose-post-copy": {
    request: z.strictObject(identity),
    response: z.object({ copy: z.enum(["whole", "ended"]) }),
    timeoutMs: 20_000,
  },
  /** Resolves once this host's network follows the guest; counts packets that its tap had no room for. */
  verify: {
    request: z.strictObject(identity),
    response: z.object({
      run_state: z.string(),
      network_settled: z.boolean(),
      packets_dropped: z.int().min(0).nullable(),
    }),
    timeoutMs: 30_000,
  },
  /** Resolves once a home that is a third host sends the guest's packets here; asked after the takeover. */
  "await-repoint": {
    request: z.strictObject(identity),
    response: z.object({}),
    timeoutMs: 15_000,
  },
  /** The source is retired: what served it may go. */
  finish: { request: z.strictObject(identity), response: z.object({}), timeoutMs: 30_000 },
  ...flowProcedures,
  /** An operator has kept the guest at its source, with a newer epoch: a copy here must end. */
  supersede: {
    request: z.strictObject({ ...identity, new_epoch: z.int().nonnegative() }),
    response: z.object({ copy: z.enum(["none", "stopped", "running"]) }),
    timeoutMs: 30_000,
  },
  /** What the other side knows of a migration, whichever side that is; changes nothing. */
  "migration-facts": {
    request: z.strictObject({ id: name, guest: name }),
    response: migrationFacts,
    timeoutMs: 10_000,
  },
  /** To home: the guest has ended at the asking host. */
  "guest-ended": {
    request: z.strictObject({ guest: name }),
    response: z.object({}),
    timeoutMs: 20_000,
  },
});

/** Requests that a home host passes on to the host where its guest is. */
export const delegationProcedures = definePeerProcedures({
  "delegate-migration": {
    request: z.strictObject({
      guest: name,
      to: name,
      tunnel: z.enum(["auto", ...tunnelKinds]),
      timeout_s: z.number().positive().max(86_400).nullable(),
      max_outage_ms: z.number().positive().nullable(),
      strategy: strategySchema.nullable(),
      /** These, and what follows, are absent when the request has none. */
      renumber: renumberWish.optional(),
      drain_idle_s: z.number().positive().optional(),
      drain_cap_s: z.number().min(0).optional(),
      release_renumbered: z.boolean().optional(),
      ...guestMigrationSchema.shape,
      idempotency: z
        .strictObject({ key: z.string().min(1).max(64), request: z.string().max(2_000) })
        .optional(),
      /** The trace of the request (W3C Trace Context); absent when it has none. */
      trace: z
        .strictObject({
          traceparent: z.string().max(256),
          tracestate: z.string().max(512).optional(),
        })
        .optional(),
    }),
    response: z.object({ id: name, state: z.string() }),
    timeoutMs: 30_000,
  },
  "delegate-plan": {
    request: z.strictObject({
      guest: name,
      to: name,
      tunnel: z.enum(["auto", ...tunnelKinds]),
      /** The following are absent when the request has none. */
      renumber: renumberWish.optional(),
      drain_idle_s: z.number().positive().optional(),
      drain_cap_s: z.number().min(0).optional(),
      release_renumbered: z.boolean().optional(),
      ...guestMigrationSchema.shape,
    }),
    response: z.object({ plan: z.unknown() }),
    timeoutMs: 30_000,
  },
  /** Events of a delegated migration from number `from` on; waits up to `wait_ms` for the first. */
  "delegated-events": {
    request: z.strictObject({
      id: name,
      from: z.int().nonnegative(),
      wait_ms: z.int().min(0).max(30_000),
    }),
    response: z.object({ events: z.array(z.unknown()).max(10_000), ended: z.boolean() }),
    timeoutMs: 35_000,
  },
  "delegated-cancel": {
    request: z.strictObject({ id: name }),
    response: z.object({}),
    timeoutMs: 10_000,
  },
});
