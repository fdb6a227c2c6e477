import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../src/daemon/config.ts";
import { hooksSection, webhookBody, webhookSection } from "../../../../src/daemon/hooks/config.ts";
import { hookTypes, isWanted, rankOf } from "../../../../src/daemon/hooks/events.ts";
import { hookPayloadSchema, migrationMessage } from "../../../../src/daemon/hooks/payload.ts";
import { phases } from "../../../../src/migrator/phases.ts";
import { outcomes } from "../../../../src/migrator/report.ts";
import { phaseEvent, reportWith, status } from "../../../support/fake-services.ts";

const complete = `
[host]
name = "host-a"
underlay_address = "172.16.1.2"
[peer_api]
listen = "172.16.1.2:7707"
ca = "/ca"
certificate = "/crt"
key = "/key"
`;
const webhook =
  '[[webhooks]]\nname = "chat"\nurl = "https://chat.example.com/x"\nsecret_file = "/s"\n';
const refused = (text: string) =>
  expect.objectContaining({
    code: "SOJ_CONFIG_INVALID",
    message: expect.stringContaining(text),
  });

describe("configuration of hooks", () => {
  it("has defaults for everything", () => {
    const { hooks, webhooks } = parseConfig(complete, "sojourn.toml");
    expect(hooks).toMatchObject({ allow_targets: [], exec_folder: "/etc/sojourn/hooks.d" });
    expect(webhooks).toEqual([]);
    const [only] = parseConfig(complete + webhook, "sojourn.toml").webhooks;
    expect(only).toMatchObject({ events: ["phases", "outcomes", "guests"], timeout_ms: 10_000 });
    expect(isWanted("migration.progress", only?.events ?? [])).toBe(false);
  });

  it.each([
    ['events = ["everything"]', "not an event"],
    ["events = []", "webhooks[0].events"],
    ['guests = ["../x"]', "not a guest's name, nor"],
    ["timeout_ms = 1", "timeout_ms"],
    ['secret = "inline"', "unknown key"],
    [webhook, "is there twice"],
    ['[hooks]\nallow_targets = ["*"]', "not a subnet, address or host name"],
    ['[hooks]\nexec_folder = "hooks.d"', "not an absolute path"],
  ])("refuses %j", (text, reason) => {
    expect(() => parseConfig(complete + webhook + text, "sojourn.toml")).toThrow(refused(reason));
  });

  it.each(["ftp://x/", "http://u:p@x/", "x", "https://x/#y"])("refuses the URL %s", (url) => {
    const text = complete + webhook.replace("https://chat.example.com/x", url);
    expect(() => parseConfig(text, "sojourn.toml")).toThrow(refused("webhooks[0].url"));
  });

  it("judges anything without another error", () => {
    const text = fc.string({ maxLength: 40 });
    const value = fc.oneof(text, fc.integer(), fc.array(text, { maxLength: 3 }), fc.boolean());
    const keys = fc.constantFrom(
      ...["name", "url", "events", "guests", "secret", "ca", "timeout_ms", "secret_file"],
      ...["allow_targets", "exec_folder", "spool_mib", "other"],
    );
    fc.assert(
      fc.property(fc.dictionary(keys, value), (object) => {
        for (const schema of [webhookSection, webhookBody, hooksSection]) schema.safeParse(object);
      }),
    );
  });
});

describe("events", () => {
  it("of every type are in exactly one group, or sent only when asked for", () => {
    for (const type of hookTypes) {
      const groups = ["phases", "outcomes", "guests", "progress"].filter((group) =>
        isWanted(type, [group]),
      );
      expect(groups, type).toHaveLength(1);
      expect(isWanted(type, [type])).toBe(true);
    }
    expect(rankOf("migration.progress")).toBeLessThan(rankOf("migration.resumed"));
    expect(rankOf("migration.resumed")).toBeLessThan(rankOf("migration.completed"));
  });
});

describe("payload", () => {
  const guest = { name: "web1", addresses: ["10.1.0.10"], home: "host-a" };

  it("is of its schema for every phase and outcome, and of a known type", () => {
    const events = [
      ...phases.map((phase) => ({ event: { ...phaseEvent, phase }, state: phase })),
      ...outcomes.map((outcome) => ({ event: reportWith({ outcome }), state: outcome })),
      ...outcomes.map((outcome) => ({ event: null, state: outcome })),
    ];
    for (const { event, state } of events) {
      const migration = { ...status, state };
      const message = migrationMessage({ wallClockMs: 1, migration, event }, "host-a", guest);
      if (message === null) continue;
      expect(hookTypes).toContain(message.type);
      const payload = hookPayloadSchema.parse(JSON.parse(message.body));
      expect(payload).toMatchObject({ id: message.id, type: message.type, host: "host-a" });
    }
  });

  it("has an id that is the same for the same event, whoever tells it, and no other's", () => {
    const told = (change: object, host = "host-a", event: object = phaseEvent) =>
      migrationMessage(
        { wallClockMs: 1, migration: { ...status, ...change }, event: event as never },
        host,
        guest,
      )?.id;
    expect(told({})).toBe(told({}, "host-b"));
    expect(told({})).toMatch(/^msg_[A-Za-z0-9_-]{22}$/);
    expect(told({ id: "m2" })).not.toBe(told({}));
    expect(told({}, "host-a", { ...phaseEvent, at_ms: 13 })).not.toBe(told({}));
    const end = { state: "completed" };
    expect(told(end, "host-a", reportWith({}))).toBe(
      told(end, "host-b", reportWith({ total_ms: 1 })),
    );
  });

  it("reads whatever a program may be given, or refuses it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        hookPayloadSchema.safeParse(value);
      }),
    );
  });
});
