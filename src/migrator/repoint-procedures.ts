import { z } from "zod";
import { namePattern } from "../platform/names.ts";
import { definePeerProcedures } from "../platform/procedures.ts";
import { tunnelKinds } from "../tunnels/tunnel.ts";

const name = z.string().regex(namePattern);
const epoch = z.int().nonnegative();
const identity = { id: name, guest: name, epoch };
const planLine = z.object({ command: z.string(), undo: z.string().nullable() });

/**
 * To a guest's home, about a move between two other hosts: from its source, unless another is named. Source, destination
 * and home speak of it with one migration id and one fencing epoch.
 */
export const repointProcedures = definePeerProcedures({
  /** What the move would do at home, and the highest epoch that home knows of; changes nothing. */
  "plan-repoint": {
    request: z.strictObject({
      ...{ guest: name, to: name, tunnel_kind: z.enum(tunnelKinds) },
      /** The guest is to have an address of the destination's too; absent when not. */
      renumber: z.boolean().optional(),
    }),
    response: z.object({
      epoch,
      prepare: z.array(planLine).max(1000),
      repoint: z.array(planLine).max(10),
    }),
    timeoutMs: 10_000,
  },
  /** Home makes its tunnel to the destination; its route to the guest stays. Safe to call again. */
  "prepare-repoint": {
    request: z.strictObject({
      ...{ ...identity, to: name, tunnel_kind: z.enum(tunnelKinds) },
      /** Of a guest that is renumbered: when the redirect goes at the latest; `cap_s` null: never. */
      drain: z
        .strictObject({
          idle_timeout_s: z.number().positive(),
          cap_s: z.number().positive().nullable(),
        })
        .optional(),
    }),
    response: z.object({}),
    timeoutMs: 20_000,
  },
  /** From the destination: does home know of it? What its own packets for the guest will come from. */
  "confirm-repoint": {
    request: z.strictObject(identity),
    response: z.object({ underlay_address: z.ipv4() }),
    timeoutMs: 5_000,
  },
  /** The readiness barrier from home to the destination, which has its end open. */
  "probe-repoint": {
    request: z.strictObject({ ...identity, barrier_address: z.ipv4() }),
    response: z.object({}),
    timeoutMs: 20_000,
  },
  /** From the host where the guest runs, under this epoch: home sends its packets there. Safe to call again. */
  repoint: {
    request: z.strictObject({
      ...{ guest: name, epoch, tunnel_kind: z.enum(tunnelKinds) },
      /** An operator has left the guest to that host, having made sure that it runs nowhere else. */
      resolved: z.boolean().optional(),
      /** The guest's address of that host's subnet, if it has one: the redirect drains. */
      renumbered: z.ipv4().optional(),
    }),
    response: z.object({}),
    timeoutMs: 20_000,
  },
  /**
   * From home to the source, which may have ended without a word: is there nothing left that it will do about the move, and
   * has it the guest?
   */
  "is-move-over": {
    request: z.strictObject({ id: name, guest: name }),
    response: z.object({ over: z.boolean(), here: z.boolean() }),
    timeoutMs: 5_000,
  },
  /** The move is over, whichever way it went: what only it needed at home goes. Safe to call again. */
  "release-repoint": {
    request: z.strictObject(identity),
    response: z.object({}),
    timeoutMs: 20_000,
  },
});
