import { z } from "zod";
import { gatePoints } from "../../migrator/gates.ts";
import { namePattern } from "../../platform/names.ts";
import { guestPattern } from "../guest-patterns.ts";

/** Longest time that a gate may keep a migration waiting at one point. */
const longestDeadlineMs = 3_600_000;

const path = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, "not an absolute path");

/** One of `[[gates]]`: somebody who decides whether migrations that leave this host go on. */
export const gateSection = z
  .strictObject({
    /** Names the gate in events, reports, errors and metrics. */
    name: z.string().regex(namePattern, "not a name"),
    /** Where it is asked: `planned`, `prepared`, `armed`. */
    points: z.array(z.enum(gatePoints)).min(1).max(gatePoints.length),
    /** Asked by a signed POST; targets that are not public only when `[hooks] allow_targets` lists them. */
    url: z.string().max(2048).optional(),
    /** With `url`: the file (0600) of the secret that signs the questions. */
    secret_file: path.optional(),
    /** With `url`: PEM file of the authorities that are trusted instead of the system's. */
    ca: path.optional(),
    /** Instead of `url`: a program, root's alone, that reads the question and prints the answer. */
    exec: path.optional(),
    /** How long one point of a migration waits for this gate, delays included. */
    deadline_ms: z.int().min(100).max(longestDeadlineMs).default(30_000),
    /** What counts as its answer when there is none in time, or one that is not understood. */
    on_no_answer: z.enum(["allow", "deny"]).default("deny"),
    /** Guests that it is asked about, by name or with `*` at the end. */
    guests: z.array(guestPattern).min(1).max(1000).default(["*"]),
  })
  .superRefine(({ url, exec, secret_file, ca }, context) => {
    const fault = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if ((url === undefined) === (exec === undefined)) fault("url", "either url or exec");
    if (url !== undefined && secret_file === undefined) fault("secret_file", "missing beside url");
    if (exec === undefined) return;
    if (secret_file !== undefined) fault("secret_file", "only beside url");
    if (ca !== undefined) fault("ca", "only beside url");
  });

/** `[[gates]]`. */
export const gatesSection = z
  .array(gateSection)
  .max(32)
  .superRefine((gates, context) => {
    for (const [index, { name }] of gates.entries()) {
      if (gates.findIndex((other) => other.name === name) === index) continue;
      context.addIssue({ code: "custom", path: [index, "name"], message: "is taken already" });
    }
  });

export type GateSection = z.output<typeof gateSection>;
