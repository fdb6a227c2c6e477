import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { migrationEventSchema } from "../../../src/daemon/api/schemas/events.ts";
import { problemSchema } from "../../../src/daemon/api/schemas/problems.ts";
import { parseConfig } from "../../../src/daemon/config.ts";
import { parseAnswer } from "../../../src/daemon/gates/answer.ts";
import { type AskedQuestion, questionFor } from "../../../src/daemon/gates/question.ts";
import { hookPayloadSchema } from "../../../src/daemon/hooks/payload.ts";
import { flowSummarySchema } from "../../../src/daemon/inventory/schemas.ts";
import { parseGuestDefinition } from "../../../src/hypervisor/definition.ts";
import { blocksOf, docPages, root } from "../../support/doc-blocks.ts";

const blocks = docPages().flatMap(blocksOf);
const read = (path: string) => readFileSync(join(root, path), "utf8");
const hostFile = read("deploy/sojourn.toml");

const settings = blocks.filter(({ language }) => language === "toml");
const messages = blocks
  .filter(({ language }) => language === "json")
  .flatMap(({ page, line, text }) => valuesOf(text).map((value) => ({ page, line, value })));

test.each(settings)("$page, line $line: settings that a daemon takes", ({ page, text }) => {
  parseConfig(`${hostFile}\n${text}`, page);
});

test.each(messages)("$page, line $line: a message as it is sent", ({ value }) => {
  expect(faultOf(value)).toBeNull();
});

test("messages are in the pages, and a wrong one is found", () => {
  expect(settings.length).toBeGreaterThan(4);
  expect(messages.length).toBeGreaterThan(6);
  const deny = { decision: "deny", reason: "frozen" };
  expect(faultOf(deny)).toBeNull();
  expect(faultOf({ ...deny, why: "frozen" })).toContain("why");
  expect(faultOf({ decision: "delay" })).toContain("delay_ms");
  expect(faultOf({ some: "thing" })).toBe("no message of ours");
});

test("streams of events in the pages are as they are sent", () => {
  const streams = blocks.filter(({ text }) => /^data: /m.test(text));
  expect(streams.length).toBeGreaterThan(0);
  for (const { text } of streams) {
    for (const [, type, data = ""] of text.matchAll(/^event: (.*)\ndata: (.*)$/gm)) {
      expect(JSON.parse(data).type).toBe(type);
      expect(faultIn(migrationEventSchema, JSON.parse(data))).toBeNull();
    }
  }
});

test("deploy/sojourn.toml and deploy/web1.toml are right, also with all that is a comment in them", () => {
  const { guestNetworks, peers } = parseConfig(hostFile, "sojourn.toml");
  expect([guestNetworks.length, [...peers.keys()]]).toEqual([1, ["host-b"]]);
  const all = hostFile.replace(/^# (?=\[|[a-z_]+ +=|"[^"]+" +=)/gm, "");
  expect(all).not.toBe(hostFile);
  const { api, gates, webhooks, migration } = parseConfig(all, "sojourn.toml");
  expect([api.listen?.port, gates.length, webhooks.length, migration.ports?.first]).toEqual([
    ...[7708, 1, 1, 49152],
  ]);
  expect(parseGuestDefinition(read("deploy/web1.toml"), "web1.toml")).toMatchObject({
    name: "web1",
  });
});

/** What is wrong with a message; null when nothing is. */
function faultOf(value: unknown): string | null {
  const message = value as Record<string, unknown>;
  if (`${message.type}`.startsWith("urn:sojourn:error:")) return faultIn(problemSchema, value);
  if (`${message.id}`.startsWith("msg_")) return faultIn(hookPayloadSchema, value);
  if (message.type === "gate" && "migration" in message) return faultOfQuestion(message as never);
  if (message.type === "gate") return faultIn(migrationEventSchema, value);
  if ("guest_name" in message) return faultIn(flowSummarySchema, value);
  if (!("decision" in message)) return "no message of ours";
  return faultOfAnswer(message);
}

function faultOfAnswer(answer: Record<string, unknown>): string | null {
  try {
    return strangers(answer, parseAnswer(JSON.stringify(answer)));
  } catch (error) {
    return `${error}`;
  }
}

function faultIn(schema: z.ZodType, value: unknown): string | null {
  const { error, data } = schema.safeParse(value);
  return error === undefined ? strangers(value as object, data as object) : z.prettifyError(error);
}

/** Members that nobody reads. */
function strangers(given: object, read: object): string | null {
  const unknown = Object.keys(given).filter((key) => !(key in read));
  return unknown.length === 0 ? null : `not a member: ${unknown}`;
}

/** A question is what the daemon would ask of the same migration. */
function faultOfQuestion(shown: AskedQuestion): string | null {
  const { gate: name, point, migration, predicted_blackout_ms: predictedBlackoutMs } = shown;
  const { deadline_ms: deadlineMs, on_no_answer: onNoAnswer, waited_ms: waitedMs } = shown;
  const about = { ...migration, migration: migration.id, point, predictedBlackoutMs };
  const gate = { name, deadlineMs, onNoAnswer };
  const asked = questionFor(gate, about as Parameters<typeof questionFor>[1], 1, waitedMs);
  expect(shown).toEqual(asked);
  return null;
}

/** One value over several lines, or one a line. */
function valuesOf(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }
}
