import { z } from "zod";
import { namePattern } from "../platform/names.ts";
import { definePeerProcedures } from "../platform/procedures.ts";

const name = z.string().regex(namePattern);
const octet = z.int().min(0).max(255);
const word = z.int().min(0).max(4_294_967_295);
const port = z.int().min(0).max(65_535).nullable();

/** `GuestFlow`, short: there may be very many. */
export const carriedFlowSchema = z.strictObject({
  p: octet,
  in: z.boolean(),
  peer: z.ipv4(),
  /** The peer's, the guest's. */
  ports: z.tuple([port, port]),
  icmp: z.tuple([octet, octet, z.int().min(0).max(65_535)]).optional(),
  state: z.string().max(20).optional(),
  replied: z.boolean(),
  assured: z.boolean(),
  /** Seconds. */
  expires: z.int().min(0).max(4_294_967),
  scale: z.tuple([octet, octet]).optional(),
  /** SCTP's verification tags. */
  tags: z.tuple([word, word]).optional(),
});

export type CarriedFlow = z.output<typeof carriedFlowSchema>;

/** What every message about a migration carries. */
const identity = { id: name, guest: name, epoch: z.int().nonnegative() };

/** In one message: their bodies are bounded. */
export const mostCarriedFlows = 2_000;

export const flowProcedures = definePeerProcedures({
  /** Some of the guest's flows at its source, so that this host tells established from new; any number of calls. */
  "carry-flows": {
    request: z.strictObject({
      ...identity,
      flows: z.array(carriedFlowSchema).max(mostCarriedFlows),
    }),
    response: z.object({
      installed: z.int().nonnegative(),
      present: z.int().nonnegative(),
      /** By errno. */
      refused: z.record(z.string().max(40), z.int().nonnegative()),
    }),
    timeoutMs: 20_000,
  },
  /** The guest's flows that somebody has reset, as far as this host has seen it; at most so many. */
  "reset-flows": {
    request: z.strictObject(identity),
    response: z.object({ flows: z.array(carriedFlowSchema).max(mostCarriedFlows) }),
    timeoutMs: 20_000,
  },
});
