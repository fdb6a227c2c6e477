import { z } from "zod";
import { absolutePath, configuredName } from "../config-values.ts";
import { guestPattern } from "../guest-patterns.ts";
import { defaultEvents, eventsSchema } from "./events.ts";
import { isTarget, TargetPolicy } from "./targets.ts";

/** The name of a webhook, as those of guests; `exec` is taken. */
const webhookName = configuredName.refine((name) => name !== execSubscription, {
  error: "is taken: it stands for the programs",
});

/** Under this name programs of the hooks folder have their messages. */
export const execSubscription = "exec";

const guestsFilter = z.array(guestPattern).min(1).max(1000);

/** Section `[hooks]`. */
export const hooksSection = z.strictObject({
  allow_targets: z
    .array(z.string().max(300).refine(isTarget, { error: "not a subnet, address or host name" }))
    .max(256)
    .default([])
    .describe(
      "Subnets, addresses and host names that webhooks and gates may be sent to although they are not public, or over plain http",
    ),
  exec_folder: absolutePath
    .default("/etc/sojourn/hooks.d")
    .describe("Programs in this folder are run at every event, in the order of their names"),
  exec_events: eventsSchema
    .default([...defaultEvents])
    .describe("The events for which they are run: phases, outcomes, guests, progress, or types"),
  exec_timeout_s: z
    .number()
    .min(0.1)
    .max(3600)
    .default(30)
    .describe("A program that runs longer is ended, with all that it has started"),
  spool_messages: z
    .int()
    .min(10)
    .max(1_000_000)
    .default(10_000)
    .describe("Messages that may wait for one receiver; then the least important are dropped"),
  spool_mib: z
    .number()
    .min(0.1)
    .max(1024)
    .default(16)
    .describe("Size of the messages that may wait for one receiver, in MiB"),
});

/** One of `[[webhooks]]`. */
export const webhookSection = z.strictObject({
  name: webhookName.describe("What it is called in commands, logs and metrics"),
  url: z
    .string()
    .refine(isHookUrl, { error: "not a URL for a hook: https://HOST/PATH, nothing secret in it" })
    .describe("Where events are sent, as POST requests"),
  secret_file: absolutePath.describe("Holds the secret that signs them; only root may read it"),
  events: eventsSchema
    .default([...defaultEvents])
    .describe("What is sent: phases, outcomes, guests, progress, or types"),
  guests: guestsFilter
    .optional()
    .describe("Only events of these guests, by name or with * at the end; without it, of all"),
  ca: absolutePath
    .optional()
    .describe("Certificates (PEM) trusted for this receiver instead of the system's"),
  timeout_ms: z
    .int()
    .min(100)
    .max(60_000)
    .default(10_000)
    .describe("How long the receiver may take for one message"),
});

/** All of `[[webhooks]]`. */
export const webhookSections = z
  .array(webhookSection)
  .max(64)
  .default([])
  .superRefine((webhooks, context) => {
    for (const [index, { name }] of webhooks.entries()) {
      if (webhooks.findIndex((other) => other.name === name) === index) continue;
      context.addIssue({ code: "custom", path: [index, "name"], message: "is there twice" });
    }
  });

/** Body of `POST /v1/webhooks`. */
export const webhookBody = webhookSection.omit({ secret_file: true, ca: true }).extend({
  secret: z
    .string()
    .max(512)
    .optional()
    .describe("Signs the messages; made, and shown once, when it is absent"),
  ca: z.string().max(40_000).optional().describe("Certificates (PEM) trusted for this receiver"),
});

export type HooksConfig = z.output<typeof hooksSection>;
export type WebhookConfig = z.output<typeof webhookSection>;

const anyTarget = new TargetPolicy(["0.0.0.0/0", "::/0"]);

/** Its form; whether it may be sent to, `allow_targets` says. */
function isHookUrl(text: string): boolean {
  try {
    anyTarget.checkUrl(text);
    return true;
  } catch {
    return false;
  }
}
