import { z } from "zod";

/** A guest that this host knows. */
export const guestSchema = z
  .object({
    name: z.string(),
    state: z.enum(["running", "paused", "stopped", "away", "invalid", "libvirt"]).meta({
      description:
        "`away`: this host is its home, another one runs it; `invalid`: its definition is wrong, so that it can neither start nor move; `libvirt`: a domain of this host's libvirt that runs and is no guest yet",
    }),
    host: z.string().nullable().meta({ description: "Where it is; null when stopped" }),
    home: z.string().meta({
      description:
        "The host whose subnet owns its address; empty for one that has ended, or was not started, and whose home is another host",
    }),
    addresses: z.array(z.string()),
    renumbered: z.string().nullable().meta({
      description:
        "Its address of the host where it is, for flows that began there; null when it has none",
    }),
    redirect: z.enum(["kept", "draining", "retired"]).nullable().meta({
      description:
        "What becomes of its way through its home: it stays, or stays until nothing needs it any more, or is gone; null at home",
    }),
    memory_mib: z.number().meta({ description: "0 when invalid" }),
    vcpus: z.number().meta({ description: "0 when invalid" }),
    migration: z
      .string()
      .nullable()
      .meta({ description: "Id of the migration that it is in; null when in none" }),
    in_doubt: z.boolean().meta({
      description: "Automation has stopped: only the other side, or an operator, knows more",
    }),
    since_ms: z.number().nullable().meta({
      description:
        "Since when it is where it is, milliseconds since 1970; null when stopped or not known",
    }),
    error: z
      .object({ code: z.string(), message: z.string(), hint: z.string().nullable() })
      .nullable()
      .meta({ description: "What is wrong with the definition of a guest that is invalid" }),
    adoptable: z.boolean().optional().meta({
      description: "True for a domain that `adoptGuest` could make a guest; absent for guests",
    }),
  })
  .meta({
    id: "Guest",
    examples: [
      {
        name: "web1",
        state: "running",
        host: "host-a",
        home: "host-a",
        addresses: ["10.1.0.10/24"],
        renumbered: null,
        redirect: null,
        memory_mib: 256,
        vcpus: 1,
        migration: null,
        in_doubt: false,
        since_ms: 1_763_000_000_000,
        error: null,
      },
    ],
  });
