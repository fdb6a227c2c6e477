import { z } from "zod";
import { guestDefinitionSchema } from "../hypervisor/definition.ts";
import { namePattern } from "../platform/names.ts";
import { tunnelKinds } from "../tunnels/tunnel.ts";

const address = z.ipv4();

/** A tunnel between two hosts' underlay addresses, seen from this host. */
export const tunnelSpecSchema = z.strictObject({
  kind: z.enum(tunnelKinds),
  localAddress: address,
  remoteAddress: address,
});

/** The host whose subnet owns the guest's address, as every host that handles the guest knows it. */
export const homeSchema = z.strictObject({
  host: z.string().regex(namePattern),
  underlayAddress: address,
  /** Of home's bridge: the guest's ARP entries name it wherever the guest is. */
  gatewayMac: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/),
});

export type Home = z.output<typeof homeSchema>;

/**
 * How far the guest's process on this host has come. `barrier`: prepared, the readiness barrier owns the
 * guest's MAC; `incoming`: prepared, packets may wait in the tap; `landed`: runs here, the source is not
 * retired yet; `running`: runs here and nobody else knows it.
 */
export const hostingStages = ["barrier", "incoming", "landed", "running"] as const;

/** Why a redirect was retired: its last flow has ended, none has sent anything for long, the cap, or an operator. */
export const retirementReasons = ["last-flow", "idle", "cap", "by-hand"] as const;

export type RetirementReason = (typeof retirementReasons)[number];

/**
 * How long a drain has gone on, by clocks that nobody sets: what counts until a reboot is this boot's monotonic clock, and
 * what was stored before it. A wall clock that jumps never cuts a drain short.
 */
export const drainTimeSchema = z.strictObject({
  /** Of the boot whose clock `monotonicMs` is (proc(5), random/boot_id). */
  boot: z.string().max(64),
  monotonicMs: z.number().nonnegative(),
  /** So long had it gone on then. */
  elapsedMs: z.number().nonnegative(),
  /** The same when this host saw the name's update that `nameUpdatedMs` tells of; null until then. */
  nameElapsedMs: z.number().nonnegative().nullable(),
  /** The same when this host, whose kernel then knew no flow any more, was last started anew; absent when it was not. */
  rebootElapsedMs: z.number().nonnegative().optional(),
});

export type DrainTime = z.output<typeof drainTimeSchema>;

/** What home knows of a redirect that is to go. Wall clocks here are for people: `counted` is what counts. */
export const drainSchema = z.strictObject({
  /** The migration that began it. */
  migration: z.string(),
  /** The guest's address of the destination's subnet. */
  renumbered: address,
  begunMs: z.number(),
  /** Flows that have sent nothing for so long hold the redirect no longer. */
  idleTimeoutS: z.number().positive(),
  /** The redirect goes after so long whoever needs it; null: never by itself. */
  capS: z.number().positive().nullable(),
  /**
   * The guest's name in the DNS leads to the new address since; where hooks see to names, they are told when the drain
   * begins. Null while this host is still to update it: until then the redirect stays, up to the cap.
   */
  nameUpdatedMs: z.number().nullable(),
  /** How long resolvers may answer with the old address; 0 where nobody's name is known. */
  nameTtlS: z.number().nonnegative(),
  /** How long it has gone on; absent until this host's drain service has seen it. */
  counted: drainTimeSchema.optional(),
});

export type Drain = z.output<typeof drainSchema>;

/** What home does once the guest has landed at another host, where it has another address too. */
export const renumberingSchema = z.strictObject({
  ...drainSchema.pick({ renumbered: true, idleTimeoutS: true, capS: true, nameTtlS: true }).shape,
  /** This host updates the guest's name in the DNS by itself. */
  updatesName: z.boolean(),
});

export type Renumbering = z.output<typeof renumberingSchema>;

/** Of a guest that is elsewhere for good. */
const departedSchema = z.strictObject({
  host: z.string(),
  /** That brought it there, as far as this host remembers. */
  migration: z.string().nullable(),
  /** The guest's address of that host; null when its redirect was retired by hand without one. */
  renumbered: address.nullable(),
  reason: z.enum(retirementReasons),
  /** Wall clock. */
  atMs: z.number(),
  /** Events and the migration's report say so. */
  told: z.boolean().optional(),
});

/** Where home sends the guest's packets once the guest, which is between two other hosts, runs at the second of them. */
export const nextRedirectSchema = z.strictObject({
  host: z.string(),
  tunnel: tunnelSpecSchema,
  /** The migration that takes it there, and its fencing epoch. */
  migration: z.string(),
  epoch: z.int().nonnegative(),
  /** The guest is renumbered there: limits of the drain that begins then. */
  drain: drainSchema.pick({ idleTimeoutS: true, capS: true }).optional(),
});

/** Where the guest was before: what it sent there last may still come by this tunnel. */
export const previousRedirectSchema = z.strictObject({
  host: z.string(),
  tunnel: tunnelSpecSchema,
  /** The migration that took it away from there. */
  migration: z.string(),
});

/** At either anchor of a handover: what it does about the guest's address. */
export const redirectHandoverSchema = z.strictObject({
  id: z.string(),
  /** The other anchor. */
  anchor: z.string(),
  /**
   * Of the old one: `offered`, and still all as it was; `leaving`: it answers nobody on the guest's network any more, and
   * redirects what reaches it. Of the new one: `receiving`: ready, and silent there; `active`: it answers.
   */
  part: z.enum(["offered", "leaving", "receiving", "active"]),
});

/** Where a guest is whose home hands its address over: the anchor that is not home (yet, or any more). */
export const hostingHandoverSchema = z.strictObject({
  id: z.string(),
  home: homeSchema,
  tunnel: tunnelSpecSchema,
  /** The new one is home already. */
  taken: z.boolean(),
});

/**
 * Everything this host must remember about one guest. The kernel state that belongs to it is a function of
 * this record (network.ts), so that it can be made again, and taken back, after any restart.
 */
export const guestRecordSchema = z.strictObject({
  guest: z.string(),
  definition: guestDefinitionSchema,
  /** Highest fencing epoch seen for this guest; only grows. */
  epoch: z.int().nonnegative(),
  home: homeSchema,
  /** The guest's process is, or is about to be, on this host. */
  hosting: z
    .strictObject({
      stage: z.enum(hostingStages),
      /** Number of this guest's source-routing table above `sourceTableBase`; unused at home. */
      tableIndex: z.int().nonnegative(),
      /** The way home; null at home, and once the redirect is retired. */
      homeTunnel: tunnelSpecSchema.nullable(),
      /**
       * The guest's address of this host's own subnet: flows that begin here use it, in and out, and do not pass home.
       * Translated by this host; the guest knows nothing of it.
       */
      renumbered: address.optional(),
      /**
       * The guest came from a host that is not home, which does not know yet that the guest runs here. `resolved`: an operator
       * has left the guest to this host, which home may know at another one by now.
       */
      homeUntold: z.union([z.boolean(), z.literal("resolved")]).optional(),
      /** The guest's packets come by another anchor too. */
      handover: hostingHandoverSchema.optional(),
      /** The redirect is retired: home sends the guest nothing any more, and owns its old address again. */
      retired: z.boolean().optional(),
      /** The tunnel the source sends through while it is not retired; null when that is over. */
      sourceTunnel: tunnelSpecSchema.nullable(),
      /** The tap of an adopted guest, which is its owner's and is left as it is; absent for one of Sojourn's. */
      tap: z.string().optional(),
    })
    .nullable(),
  /** This host is home and sends the guest's traffic to where it is. */
  redirect: z
    .strictObject({
      host: z.string(),
      tunnel: tunnelSpecSchema,
      /** Another anchor is to have the guest's address, or had it. */
      handover: redirectHandoverSchema.optional(),
      /** That host has said that it starts the guest; whether it has, this one, an anchor, does not know yet. */
      attaching: z.literal(true).optional(),
      /** The guest has been renumbered: the redirect goes when nothing needs it any more. Absent: it stays. */
      drain: drainSchema.optional(),
      /** Its end is decided, and being carried out on both hosts; also of one that nothing drains. */
      retiring: z.enum(retirementReasons).optional(),
      /** A migration between two other hosts is prepared. */
      next: nextRedirectSchema.optional(),
      /** The last move between two other hosts made home follow then (wall clock); absent when home was its source. */
      sinceMs: z.number().optional(),
      /** Such a migration was the last, and is not over. */
      previous: previousRedirectSchema.optional(),
    })
    .nullable(),
  /**
   * This host was the guest's home: the guest is elsewhere for good, and its old address is free. Remembered so that
   * nobody starts it here a second time; forgotten when the guest has ended there.
   */
  departed: departedSchema.optional(),
  /** A move away from here is prepared: the tunnel to the destination and the copies. */
  outgoing: z
    .strictObject({
      tunnel: tunnelSpecSchema,
      /** The route change was made: packets go to the destination only. */
      switched: z.boolean(),
      /** The guest runs at its home, and packets from here go there as everybody else's do. */
      retired: z.boolean().optional(),
      /** What the redirect's drain will be; absent when the guest keeps its address alone. */
      renumbering: renumberingSchema.optional(),
    })
    .nullable(),
  /** The unfinished migration that this host takes part in. */
  migration: z
    .strictObject({
      id: z.string(),
      epoch: z.int().nonnegative(),
      role: z.enum(["source", "destination"]),
      peer: z.string(),
      /** False for a guest that its user had paused: it stays paused. */
      resume: z.boolean(),
      /** Others began it, with libvirt: it decides where the guest runs. */
      followed: z.boolean().optional(),
      /** How a guest that comes home was away, in case an operator keeps it where it was. */
      drain: drainSchema.optional(),
      departed: departedSchema.optional(),
    })
    .nullable(),
});

export type GuestRecord = z.output<typeof guestRecordSchema>;
