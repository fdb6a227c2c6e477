import { z } from "zod";
import { gatePoints } from "../../migrator/gates.ts";
import { absolutePath, configuredName } from "../config-values.ts";
import { guestPattern } from "../guest-patterns.ts";

/** Longest time that a gate may keep a migration waiting at one point. */
const longestDeadlineMs = 3_600_000;

/** One of `[[gates]]`: somebody who decides whether migrations that leave this host go on. */
const gateSection = z
  .strictObject({
    name: configuredName.describe("Names the gate in events, reports, errors and metrics"),
    points: z
      .array(z.enum(gatePoints))
      .min(1)
      .max(gatePoints.length)
      .describe("Where in a migration it is asked"),
    url: z
      .string()
      .max(2048)
      .optional()
      .describe(
        "It is asked by a signed POST; targets that are not public only when [hooks] allow_targets lists them",
      ),
    secret_file: absolutePath
      .optional()
      .describe("With url: the file (0600) of the secret that signs the questions"),
    ca: absolutePath
      .optional()
      .describe("With url: PEM file of the authorities that are trusted instead of the system's"),
    exec: absolutePath
      .optional()
      .describe(
        "Instead of url: a program, root's alone, that reads the question and prints the answer",
      ),
    deadline_ms: z
      .int()
      .min(100)
      .max(longestDeadlineMs)
      .default(30_000)
      .describe("How long one point of a migration waits for this gate, delays included"),
    on_no_answer: z
      .enum(["allow", "deny"])
      .default("deny")
      .describe("What counts as its answer when there is none in time, or none that is understood"),
    guests: z
      .array(guestPattern)
      .min(1)
      .max(1000)
      .default(["*"])
      .describe("Guests that it is asked about, by name or with * at the end"),
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
