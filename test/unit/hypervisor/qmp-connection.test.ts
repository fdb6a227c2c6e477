import fc from "fast-check";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestEvent } from "../../../src/hypervisor/hypervisor.ts";
import { QmpConnection } from "../../../src/hypervisor/qemu/qmp/connection.ts";
import { parseMessage } from "../../../src/hypervisor/qemu/qmp/messages.ts";
import { FakeQmp } from "../../support/fake-qmp.ts";

const logger = pino({ level: "silent" });

describe("QmpConnection", () => {
  let fake: FakeQmp;
  let events: GuestEvent[];
  let connection: QmpConnection | undefined;

  beforeEach(async () => {
    fake = await FakeQmp.listen();
    events = [];
    connection = undefined;
  });
  afterEach(async () => {
    connection?.close();
    await fake[Symbol.asyncDispose]();
  });

  const open = async (timeoutMs = 2000) => {
    const onEvent = (event: GuestEvent) => events.push(event);
    connection = await QmpConnection.open(fake.path, { logger, onEvent, timeoutMs });
    return connection;
  };

  test("negotiates, then sends commands with ids of their own", async () => {
    const qmp = await open();
    await Promise.all([qmp.execute("stop"), qmp.execute("query-status", { a: 1 })]);
    expect(fake.commands.map(({ execute }) => execute)).toEqual([
      "qmp_capabilities",
      "stop",
      "query-status",
    ]);
    expect(new Set(fake.commands.map(({ id }) => id)).size).toBe(3);
    expect(fake.commands[2]?.arguments).toEqual({ a: 1 });
  });

  test("replies may come in any order", async () => {
    const qmp = await open();
    fake.answer = () => {
      if (fake.commands.length < 4) return undefined;
      const [, one, two, three] = fake.commands;
      for (const command of [three, two, one]) {
        fake.say(`${JSON.stringify({ return: command?.execute, id: command?.id })}\r\n`);
      }
      return undefined;
    };
    const replies = Promise.all(["first", "second", "third"].map((name) => qmp.execute(name)));
    expect(await replies).toEqual(["first", "second", "third"]);
  });

  test("an error reply carries class and description", async () => {
    const qmp = await open();
    fake.answer = ({ id }) => {
      fake.say(`{"error": {"class": "CommandNotFound", "desc": "no such"}, "id": ${id}}\r\n`);
      return undefined;
    };
    await expect(qmp.execute("nonsense")).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
      command: "nonsense",
      errorClass: "CommandNotFound",
      description: "no such",
    });
  });

  test("events between replies reach the listener, unknown ones too", async () => {
    const qmp = await open();
    fake.answer = () => {
      fake.event("NEVER_HEARD_OF", { deep: { er: 1 } });
      return {};
    };
    await qmp.execute("stop");
    expect(events).toMatchObject([
      { name: "NEVER_HEARD_OF", data: { deep: { er: 1 } }, timestampMs: 5250 },
    ]);
  });

  test("a message in pieces is one message", async () => {
    const qmp = await open();
    fake.answer = ({ id }, socket) => {
      socket.write('{"return": {"text": "h\u00e4');
      setImmediate(() => socket.write(`lf"}, "id": ${id}}\r`));
      setImmediate(() => socket.write("\n"));
      return undefined;
    };
    expect(await qmp.execute("half")).toEqual({ text: "hälf" });
  });

  test("commands out of band overtake what hangs, where the monitor takes them", async () => {
    fake.offer("oob");
    const qmp = await open();
    expect(fake.commands[0]?.arguments).toEqual({ enable: ["oob"] });
    fake.answer = ({ outOfBand }) => (outOfBand ? "at once" : undefined);
    const hanging = qmp.execute("query-status", undefined, 300);
    hanging.catch(() => {});
    expect(await qmp.executeOutOfBand("migrate-pause")).toBe("at once");
    await expect(hanging).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_TIMEOUT" });
  });

  test("a monitor without them gets such commands as any other", async () => {
    const qmp = await open();
    await qmp.executeOutOfBand("migrate-pause");
    expect(fake.commands).toMatchObject([
      { execute: "qmp_capabilities" },
      { execute: "migrate-pause", outOfBand: false },
    ]);
    expect(fake.commands[0]).not.toHaveProperty("arguments");
  });

  test("a monitor that hangs is sent six commands and no more, until it answers late ones", async () => {
    fake.offer("oob");
    const qmp = await open();
    fake.answer = ({ outOfBand }) => (outOfBand ? {} : undefined);
    const hanging = Array.from({ length: 9 }, (_, index) =>
      qmp.execute(`command-${index}`, undefined, 50),
    );
    const outcomes = await Promise.allSettled(hanging);
    const sent = fake.commands.slice(1);
    expect(sent).toHaveLength(6);
    for (const [index, outcome] of outcomes.entries()) {
      const message = expect.stringContaining(index < 6 ? "may still take effect" : "was not sent");
      const reason = { code: "SOJ_HYPERVISOR_TIMEOUT", message };
      expect(outcome).toMatchObject({ status: "rejected", reason });
    }
    await qmp.executeOutOfBand("migrate-pause");

    fake.answer = () => "awake";
    const next = qmp.execute("next");
    for (const { id } of sent) fake.say(`${JSON.stringify({ return: {}, id })}\r\n`);
    expect(await next).toBe("awake");
    expect(fake.commands.map(({ execute }) => execute)).not.toContain("command-6");
  });

  const endings: [string, (fake: FakeQmp, id: unknown) => void, string][] = [
    ["closing in the middle of a reply", (it) => closeMidReply(it), "SOJ_QMP_CLOSED"],
    ["closing without a reply", (it) => it.hangUp(), "SOJ_QMP_CLOSED"],
    ["a line of 50 MB", (it) => it.say(Buffer.alloc(50e6, "x")), "SOJ_QMP_PROTOCOL"],
    ["no JSON", (it) => it.say("hello\r\n"), "SOJ_QMP_PROTOCOL"],
    ["no object", (it) => it.say("[1]\r\n"), "SOJ_QMP_PROTOCOL"],
    ["bytes that are not UTF-8", (it) => it.say(Buffer.from([0xff, 10])), "SOJ_QMP_PROTOCOL"],
    [
      "an error without an id",
      (it) => it.say('{"error": {"class": "GenericError", "desc": "bad"}}\r\n'),
      "SOJ_QMP_PROTOCOL",
    ],
    [
      "a reply to an unknown id",
      (it) => it.say('{"return": 1, "id": 999}\r\n'),
      "SOJ_QMP_PROTOCOL",
    ],
    [
      "a reply with a foreign id",
      (it) => it.say('{"return": 1, "id": "x"}\r\n'),
      "SOJ_QMP_PROTOCOL",
    ],
  ];
  test.each(endings)("%s fails everything that is pending", async (_, misbehave, code) => {
    const qmp = await open();
    fake.answer = () => undefined;
    const pending = [qmp.execute("one"), qmp.execute("two")];
    const outcomes = Promise.allSettled(pending);
    fake.answer = ({ id }) => misbehave(fake, id);
    const last = qmp.execute("three");
    await expect(last).rejects.toMatchObject({ code });
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code } });
    }
    await expect(qmp.execute("four")).rejects.toMatchObject({ code });
    await qmp.closed;
  });

  test("a reply after its command's time-out is dropped, the connection goes on", async () => {
    const qmp = await open();
    fake.answer = () => undefined;
    await expect(qmp.execute("slow", undefined, 20)).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_TIMEOUT",
    });
    fake.say(`${JSON.stringify({ return: {}, id: fake.commands[1]?.id })}\r\n`);
    fake.answer = () => "here";
    expect(await qmp.execute("next")).toBe("here");
  });

  test("a server that says nothing is given up", async () => {
    fake.greeting = "";
    await expect(open(30)).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_TIMEOUT" });
  });

  test("no server at all", async () => {
    const options = { logger, onEvent: () => {} };
    await expect(QmpConnection.open(`${fake.path}.none`, options)).rejects.toMatchObject({
      code: "SOJ_QMP_CLOSED",
    });
  });
});

describe("parseMessage", () => {
  test("any text gives a message or a typed error", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((v) => JSON.stringify(v)),
        ),
        (text) => {
          try {
            expect(parseMessage(text)).toHaveProperty("kind");
          } catch (error) {
            expect(error).toMatchObject({ code: "SOJ_QMP_PROTOCOL" });
          }
        },
      ),
    );
  });

  test("an event without data or time is an event", () => {
    expect(parseMessage('{"event": "STOP"}')).toEqual({
      kind: "event",
      name: "STOP",
      data: {},
      timestampMs: Number.NaN,
    });
  });
});

function closeMidReply(fake: FakeQmp): void {
  fake.say('{"return": {');
  setImmediate(() => fake.hangUp());
}
