import { z } from "zod";
import { guestDefinitionSchema } from "../../hypervisor/definition.ts";
import { namePattern } from "../../platform/names.ts";
import { definePeerProcedures } from "../../platform/procedures.ts";
import { tunnelKinds } from "../../tunnels/tunnel.ts";
import { homeSchema } from "../records.ts";

const name = z.string().regex(namePattern);
const epoch = z.int().nonnegative();
const identity = { id: name, guest: name };
const nothing = z.object({});

const handedGuest = z.strictObject({
  ...identity,
  definition: guestDefinitionSchema,
  /** Above every one that the guest had so far. */
  epoch,
  /** As the guest knows its gateway; it goes on knowing it so. */
  gateway_mac: homeSchema.shape.gatewayMac,
  /** Where the guest is. */
  host: name,
  underlay_address: z.ipv4(),
  tunnel_kind: z.enum(tunnelKinds),
});

export type HandedGuest = z.output<typeof handedGuest>;

/** What an anchor that hands its guests' addresses over to another one asks of that, and of the guests' hosts. */
export const handoverProcedures = definePeerProcedures({
  /** To the other anchor: could it have these guests, and do tunnels of the kind carry packets to their hosts? */
  "handover-check": {
    request: z.strictObject({
      guests: z.array(handedGuest).max(1_000),
      hosts: z.array(name).max(64),
    }),
    response: nothing,
    timeoutMs: 120_000,
  },
  /** It gets ready to send the guest's packets, and stays silent on the guests' network. */
  "handover-receive": {
    request: handedGuest,
    response: z.object({ home: homeSchema }),
    timeoutMs: 20_000,
  },
  /** From now on it answers for these guests' addresses; the others of the handover have ended. For good. */
  "handover-activate": {
    request: z.strictObject({ id: name, guests: z.array(name).max(1_000) }),
    response: nothing,
    timeoutMs: 60_000,
  },
  /** It forgets what it got ready; refused once it answers. */
  "handover-drop": { request: z.strictObject({ id: name }), response: nothing, timeoutMs: 30_000 },
  /** The other anchor has nothing to do with these guests any more. */
  "handover-finish": {
    request: z.strictObject({ id: name }),
    response: nothing,
    timeoutMs: 30_000,
  },
  /** To the guest's host: it takes the guest's packets from the other anchor's tunnel too. */
  "offer-home": {
    request: z.strictObject({ ...identity, home: homeSchema, tunnel_kind: z.enum(tunnelKinds) }),
    response: nothing,
    timeoutMs: 20_000,
  },
  /** What the guest sends goes by the other anchor, its home, from now on. */
  "take-home": {
    request: z.strictObject({ ...identity, epoch }),
    response: nothing,
    timeoutMs: 20_000,
  },
  /** The anchor that is not home (any more) is forgotten. */
  "release-home": { request: z.strictObject(identity), response: nothing, timeoutMs: 20_000 },
});
