import { createHmac } from "node:crypto";
import { chmod, mkdir, readdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hookPayloadSchema } from "../../../../src/daemon/hooks/payload.ts";
import { startClockAhead } from "./fast-clock.ts";
import { HooksHost, rememberedEnd, until } from "./hooks-host.ts";
import { type Received, type Receiver, startReceiver } from "./receiver.ts";

let host: HooksHost;
let stack: AsyncDisposableStack;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  host = stack.use(await HooksHost.make());
});

afterEach(() => stack.disposeAsync());

const secret = "a secret in plain text";
const typesOf = (messages: readonly Received[]) =>
  messages.map(({ body }) => hookPayloadSchema.parse(JSON.parse(body)).type);

/** Written down as well: the next daemon does not send it again. */
const delivered = (count: number) =>
  until(async () => {
    const query = { state: "delivered" } as const;
    const { deliveries } = await host.hooks.services.listDeliveries("chat", query);
    return deliveries.length === count;
  });

/** Of a database that nobody has open. */
function setUserVersion(path: string, version: number): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA user_version = ${version}`);
  database.close();
}

async function subscribed(change: object = {}, answer?: Parameters<typeof startReceiver>[0]) {
  const receiver: Receiver = stack.use(await startReceiver(answer));
  host.begin();
  await host.hooks.services.addWebhook({ name: "chat", url: receiver.url, secret, ...change });
  return receiver;
}

describe("hooks", () => {
  it("tell phases and the outcome in order, signed, and no progress", async () => {
    const receiver = await subscribed();
    host.phase("planned");
    host.phase("preparing");
    host.phase("precopy");
    host.progress();
    host.phase("stop");
    host.phase("resumed");
    host.phase("completed");
    host.report("completed");
    const messages = await receiver.got(4);
    expect(typesOf(messages)).toEqual([
      ...["migration.preparing", "migration.precopy", "migration.resumed", "migration.completed"],
    ]);
    for (const { headers, body } of messages) {
      const { "webhook-id": id, "webhook-timestamp": seconds } = headers;
      const hmac = createHmac("sha256", secret).update(`${id}.${seconds}.${body}`);
      expect(headers["webhook-signature"]).toBe(`v1,${hmac.digest("base64")}`);
      expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(5);
      expect(JSON.parse(body).id).toBe(id);
    }
    expect(JSON.parse(messages[3]?.body ?? "")).toMatchObject({
      host: "host-a",
      guest: { name: "web1", addresses: ["10.1.0.10"], home: "host-a" },
      migration: { id: "m1", state: "completed" },
      event: { type: "report", blackout_ms: 24.1 },
    });
    await delivered(4);
  });

  it("tell what was asked for, of the guests that were asked for", async () => {
    const receiver = await subscribed({
      events: ["migration.resumed", "outcomes", "progress"],
      guests: ["web2"],
    });
    host.report("completed", "m1", "web1");
    host.phase("precopy", "m2", "web2");
    host.phase("resumed", "m2", "web2");
    host.report("completed", "m2", "web2");
    expect(typesOf(await receiver.got(2))).toEqual(["migration.resumed", "migration.completed"]);
    host.progress("m2");
    host.report("rolled-back", "m3", "web2");
    expect(typesOf(await receiver.got(3))[2]).toBe("migration.rolled-back");
  });

  it("do nothing while a guest stands", async () => {
    const receiver = await subscribed();
    host.isGuestStanding = true;
    host.phase("precopy");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(receiver.received).toHaveLength(0);
    expect((await host.hooks.services.listDeliveries("chat")).deliveries).toHaveLength(0);
    host.isGuestStanding = false;
    await receiver.got(1);
  });

  it("do nothing from armed to resumed either", async () => {
    const receiver = await subscribed();
    host.phase("armed");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(receiver.received).toHaveLength(0);
    host.phase("resumed");
    expect(typesOf(await receiver.got(2))).toEqual(["migration.armed", "migration.resumed"]);
  });

  it("lose nothing while the receiver is down for 10 s, and keep the order", async () => {
    const receiver = await startReceiver();
    host.begin();
    await host.hooks.services.addWebhook({ name: "chat", url: receiver.url, secret });
    await receiver[Symbol.asyncDispose]();
    for (const phase of ["preparing", "prepared", "precopy", "verifying"]) host.phase(phase);
    await until(() => (host.hooks.figures()[0]?.failed ?? 0) >= 3, 9_000);
    host.phase("resumed");
    host.report("completed");
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    const back = stack.use(await startReceiver({ port: receiver.port }));
    const messages = await back.got(6);
    expect(typesOf(messages)).toEqual([
      ...["migration.preparing", "migration.prepared", "migration.precopy", "migration.verifying"],
      ...["migration.resumed", "migration.completed"],
    ]);
    expect(new Set(messages.map(({ headers }) => headers["webhook-id"])).size).toBe(6);
    await until(() => host.hooks.figures()[0]?.waiting === 0);
    expect(host.hooks.figures()[0]).toMatchObject({ delivered: 6, dead: 0, dropped: 0 });
  }, 40_000);

  it("try again within a second, with the same id", async () => {
    const receiver = await subscribed(
      {},
      {
        answer: (_message, response, index) =>
          response.writeHead(index === 0 ? 500 : 200).end("sorry"),
      },
    );
    const startMs = Date.now();
    host.report("completed");
    const [first, second] = await receiver.got(2);
    expect(Date.now() - startMs).toBeLessThan(1_500);
    expect(first?.headers["webhook-id"]).toBe(second?.headers["webhook-id"]);
    await until(async () => {
      const { deliveries } = await host.hooks.services.listDeliveries("chat");
      return deliveries[0]?.state === "delivered" && deliveries[0].attempts === 2;
    });
  });

  it("go on with the next daemon", async () => {
    const receiver = await startReceiver();
    host.begin();
    await host.hooks.services.addWebhook({ name: "chat", url: receiver.url, secret });
    await receiver[Symbol.asyncDispose]();
    host.phase("precopy");
    await until(() => (host.hooks.figures()[0]?.failed ?? 0) >= 1);
    host.report("completed");
    await host.end();
    const back = stack.use(await startReceiver({ port: receiver.port }));
    host.begin();
    expect(typesOf(await back.got(2))).toEqual(["migration.precopy", "migration.completed"]);
  });

  it("tell of an end that the daemon before had no time to tell", async () => {
    const receiver = await subscribed();
    host.report("completed", "told");
    await delivered(1);
    await host.end();
    const endedMs = Date.now() + 1;
    host.remembered.push(
      rememberedEnd({ id: "long-ago" }),
      rememberedEnd({ id: "told", endedMs }),
      rememberedEnd({ id: "running", endedMs: null, state: "precopy" }),
      rememberedEnd({ id: "untold", endedMs, state: "in-doubt", report: null }),
    );
    // An end counts as missed once it is some seconds old.
    stack.use(startClockAhead(6_000));
    host.begin();
    const [, late] = await receiver.got(2);
    expect(JSON.parse(late?.body ?? "")).toMatchObject({
      type: "migration.in-doubt",
      migration: { id: "untold" },
    });
    await delivered(2);
    await host.end();
    host.begin();
    host.report("rolled-back", "another");
    expect(JSON.parse((await receiver.got(3))[2]?.body ?? "").migration.id).toBe("another");
  });

  it("tell that a guest has come or gone, once, also across a restart", async () => {
    const web1 = { name: "web1", addresses: ["10.1.0.10"], home: "host-b" };
    const receiver = await subscribed();
    host.guestsHere.set("web1", web1);
    host.hooks.noteGuests();
    expect(typesOf(await receiver.got(1))).toEqual(["guest.arrived"]);
    host.hooks.noteGuests();
    await delivered(1);
    await host.end();
    host.guestsHere.clear();
    host.begin();
    const [, gone] = await receiver.got(2);
    expect(JSON.parse(gone?.body ?? "")).toMatchObject({ type: "guest.departed", guest: web1 });
  });

  it("drop progress before phases and outcomes when the spool is full, and say so", async () => {
    host.config = { spool_messages: 10 };
    const receiver = await startReceiver();
    await receiver[Symbol.asyncDispose]();
    host.begin();
    const events = ["phases", "outcomes", "progress"];
    await host.hooks.services.addWebhook({ name: "chat", url: receiver.url, secret, events });
    for (let count = 0; count < 20; count += 1) host.progress("m1", count);
    for (let count = 0; count < 8; count += 1) host.phase("precopy", `m${count}`);
    for (let count = 0; count < 5; count += 1) host.report("completed", `m${count}`);
    await until(() => host.hooks.figures()[0]?.dropped === 23);
    const { deliveries } = await host.hooks.services.listDeliveries("chat");
    const types = deliveries.map(({ type }) => type);
    expect(types.filter((type) => type === "migration.completed")).toHaveLength(5);
    expect(types.filter((type) => type === "migration.precopy")).toHaveLength(5);
    expect(host.logged).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining("alarm: the spool is full") }),
    );
  });

  it("forget after a day what waits for a webhook that is gone, and do not wait for one that is slow", async () => {
    const slow = stack.use(await startReceiver({ answer: () => {} }));
    const receiver = await subscribed();
    const wish = { name: "slow", url: slow.url, timeout_ms: 60_000 };
    await host.hooks.services.addWebhook(wish);
    host.report("completed");
    await Promise.all([receiver.got(1), slow.got(1)]);
    await host.end();
    await writeFile(join(host.stateFolder, "webhooks.json"), "[]");
    const waiting = () => host.hooks.services.addWebhook(wish).then((added) => added.waiting);
    host.begin();
    await until(() => host.hooks.figures().length === 1);
    expect(await waiting()).toBe(1);
    await host.end();
    await writeFile(join(host.stateFolder, "webhooks.json"), "[]");
    stack.use(startClockAhead(25 * 3_600_000));
    host.begin();
    await until(() => host.logged.some(({ message }) => String(message).startsWith("forgotten")));
    expect(await waiting()).toBe(0);
  });

  it("begin a new spool when theirs is damaged, and lose no subscription and no outcome", async () => {
    const receiver = await subscribed();
    host.report("completed");
    await delivered(1);
    await host.end();
    host.remembered.push(rememberedEnd({ endedMs: Date.now() - 6_000 }));
    await writeFile(
      join(host.stateFolder, "hooks.sqlite"),
      "no database, but some text".repeat(99),
    );
    host.begin();
    const [first, again] = await receiver.got(2);
    expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"]);
    expect(host.logged).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining("spool of hooks was damaged") }),
    );
  });

  it("leave the spool of a later release as it is, and keep events in memory meanwhile", async () => {
    const path = join(host.stateFolder, "hooks.sqlite");
    await subscribed();
    await host.end();
    setUserVersion(path, 99);
    host.begin();
    host.report("completed");
    const alarms = () =>
      host.logged.filter(({ message }) => /cannot be spooled/.test(`${message}`));
    await until(() => alarms().length === 1);
    expect(alarms()[0]).toMatchObject({ err: { code: "SOJ_DATABASE_NEWER" } });
    expect(await readdir(host.stateFolder)).not.toContainEqual(expect.stringContaining("damaged"));
    await expect(host.hooks.services.listDeliveries("chat")).rejects.toThrow("a later release");
    await host.end();
    expect(host.logged.at(-1)?.message).toContain("events for hooks were not spooled");
  });

  it("keep events in memory while the disk takes none, with one alarm", async () => {
    const path = join(host.stateFolder, "hooks.sqlite");
    await mkdir(path);
    const receiver = await subscribed();
    host.phase("resumed");
    host.report("completed");
    const alarms = () =>
      host.logged.filter(({ message }) => /cannot be spooled/.test(`${message}`));
    await until(() => alarms().length === 1);
    await rmdir(path);
    expect(typesOf(await receiver.got(2))).toEqual(["migration.resumed", "migration.completed"]);
    expect(alarms()).toHaveLength(1);
  });

  it("read a webhook's secret from its file, which only its owner may read", async () => {
    const path = join(host.stateFolder, "secret");
    await writeFile(path, secret, { mode: 0o644 });
    const receiver = stack.use(await startReceiver());
    host.webhooks = [
      {
        ...{ name: "chat", url: receiver.url, secret_file: path, events: ["outcomes"] },
        timeout_ms: 1_000,
      },
    ];
    host.begin();
    host.report("completed");
    await until(() => (host.hooks.figures()[0]?.failed ?? 0) > 0);
    expect(host.logged).toContainEqual(expect.objectContaining({ code: "SOJ_HOOK_SECRET_FILE" }));
    expect(JSON.stringify(host.logged)).not.toContain(secret);
    await chmod(path, 0o600);
    expect(typesOf(await receiver.got(1))).toEqual(["migration.completed"]);
  });
});
