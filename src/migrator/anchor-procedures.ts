import { z } from "zod";
import { guestDefinitionSchema } from "../hypervisor/definition.ts";
import { namePattern } from "../platform/names.ts";
import { definePeerProcedures } from "../platform/procedures.ts";
import { tunnelKinds } from "../tunnels/tunnel.ts";
import { homeSchema } from "./records.ts";

const name = z.string().regex(namePattern);

const attachment = z.strictObject({
  guest: name,
  definition: guestDefinitionSchema,
  /** The highest fencing epoch of the guest's that the asking host has seen. */
  epoch: z.int().nonnegative(),
  underlay_address: z.ipv4(),
  tunnel_kind: z.enum(tunnelKinds),
});

export type Attachment = z.output<typeof attachment>;

/** What the host knows of a guest of which it has said that it starts it. */
export const attachedPlaces = ["here", "starting", "none"] as const;

/** Between an anchor and the hosts that start guests behind it. */
export const anchorProcedures = definePeerProcedures({
  /**
   * To an anchor: the asking host is about to start a guest with an address of its. The anchor is its home from then on.
   * The same host may ask again.
   */
  "attach-guest": {
    request: attachment,
    response: z.object({ home: homeSchema, epoch: z.int().nonnegative() }),
    timeoutMs: 20_000,
  },
  /** To another anchor of the same addresses: fails as `attach-guest` would for a guest that it knows to be anywhere. */
  "attach-check": {
    request: attachment,
    response: z.object({}),
    timeoutMs: 10_000,
  },
  /** From an anchor that was told of a start, and not yet of its end. */
  "attached-guest": {
    request: z.strictObject({ guest: name }),
    response: z.object({ place: z.enum(attachedPlaces) }),
    timeoutMs: 10_000,
  },
});
