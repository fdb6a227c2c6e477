import { z } from "zod";
import { guestDefinitionSchema } from "../hypervisor/definition.ts";
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
  host: z.string(),
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
      /** The way home; null at home. */
      homeTunnel: tunnelSpecSchema.nullable(),
      /** The tunnel the source sends through while it is not retired; null when that is over. */
      sourceTunnel: tunnelSpecSchema.nullable(),
      /** The tap of an adopted guest, which is its owner's and is left as it is; absent for one of Sojourn's. */
      tap: z.string().optional(),
    })
    .nullable(),
  /** This host is home and sends the guest's traffic to where it is. */
  redirect: z.strictObject({ host: z.string(), tunnel: tunnelSpecSchema }).nullable(),
  /** A move away from here is prepared: the tunnel to the destination and the copies. */
  outgoing: z
    .strictObject({
      tunnel: tunnelSpecSchema,
      /** The route change was made: packets go to the destination only. */
      switched: z.boolean(),
      /** The guest runs at its home, and packets from here go there as everybody else's do. */
      retired: z.boolean().optional(),
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
    })
    .nullable(),
});

export type GuestRecord = z.output<typeof guestRecordSchema>;
