import { z } from "zod";
import { retirementSchema } from "../../../migrator/retirement-schema.ts";

/** Body of `POST /v1/guests/:name/retire`. */
export const retirementBody = z
  .strictObject({
    confirm: z
      .boolean()
      .default(false)
      .meta({ description: "Without it nothing is changed: the answer tells whom it cuts off" }),
  })
  .meta({ id: "RetirementRequest", examples: [{ confirm: false }] });

/** The answer. */
export const retirementAnswer = retirementSchema.meta({
  id: "Retirement",
  examples: [
    {
      ...{ type: "retirement", guest: "web1", host: "host-b", home: "host-a" },
      ...{ freed: "10.1.0.10", renumbered: "10.2.0.50", reason: "by-hand", state: "described" },
      cut: [
        {
          ...{ protocol: "tcp", peer: "192.0.2.2:40012", guest: "10.1.0.10:7" },
          ...{ state: "ESTABLISHED", idle_s: 3 },
        },
      ],
      cut_count: 1,
    },
  ],
});
