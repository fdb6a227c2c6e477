import { z } from "zod";
import { namePattern } from "../../platform/names.ts";
import { definePeerProcedures } from "../../platform/procedures.ts";

const domain = z.strictObject({
  guest: z.string().regex(namePattern),
  uuid: z.guid().toLowerCase(),
});

/** What a host that libvirt is about to send a domain to asks the others. */
export const followProcedures = definePeerProcedures({
  /** Whether the domain is a guest that runs there; whoever waits holds a migration up that may be none of ours. */
  "hosts-guest": {
    request: domain,
    response: z.object({ hosts: z.boolean() }),
    timeoutMs: 1_500,
  },
  /** Prepares the guest's network for a migration to the asking host, which others have begun. */
  "follow-guest": {
    request: domain,
    response: z.object({ id: z.string().max(63) }),
    timeoutMs: 25_000,
  },
});
