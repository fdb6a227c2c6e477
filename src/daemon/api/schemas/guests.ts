import { z } from "zod";

/** A guest that this host knows. */
export const guestSchema = z
  .object({
    name: z.string(),
    state: z
      .enum(["running", "paused", "stopped", "away"])
      .meta({ description: "`away`: this host is its home, another one runs it" }),
    host: z.string().nullable().meta({ description: "Where it is; null when stopped" }),
    home: z.string().meta({ description: "The host whose subnet owns its address" }),
    addresses: z.array(z.string()),
    memory_mib: z.number(),
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
        memory_mib: 256,
      },
    ],
  });
