import { z } from "zod";
import { retirementReasons } from "./records.ts";

/** Flows that are named at most; all are counted. */
export const mostCutNamed = 1_000;

const cutSchema = z.object({
  protocol: z.string().describe("As in `sojourn flows`: tcp, udp, icmp, or its number"),
  peer: z.string().describe("ADDRESS:PORT; the address alone without ports"),
  guest: z.string(),
  state: z.string().nullable(),
  idle_s: z.int().nonnegative().nullable().describe("Null where nobody has watched it"),
});

export type CutFlow = z.output<typeof cutSchema>;

/** The end of a guest's redirect: as it would be, is being carried out, or is. */
export const retirementSchema = z.object({
  type: z.literal("retirement"),
  guest: z.string(),
  host: z.string().describe("Where the guest is, and stays"),
  home: z.string(),
  freed: z.string().describe("The guest's old address, which is home's to give again"),
  renumbered: z
    .string()
    .nullable()
    .describe("The guest's address there; null: nobody but that host's own guests reach it then"),
  reason: z.enum(retirementReasons),
  state: z
    .enum(["described", "retiring", "retired"])
    .describe("`retiring`: decided; done as soon as the guest's host answers"),
  cut: z
    .array(cutSchema)
    .max(mostCutNamed)
    .nullable()
    .describe("Flows that end with it, the first of them; null where home tracks none"),
  cut_count: z.int().nonnegative().nullable(),
});

export type Retirement = z.output<typeof retirementSchema>;
