import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { EventFeed } from "../../../src/daemon/event-feed.ts";
import { createEventServices } from "../../../src/daemon/event-services.ts";
import { Lifelines } from "../../../src/daemon/lifelines.ts";
import type { MigrationEvent } from "../../../src/daemon/services.ts";
import type { StoredMigration } from "../../../src/migrator/stored-migration.ts";
import { delay } from "../../../src/platform/clock.ts";
import { preconditionError, SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { fakeServices, phaseEvent, reportWith, status } from "../../support/fake-services.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";

const logger = createLogger("silent");
const never = new AbortController().signal;

/** The daemon's real feed behind the real API: what a restart makes of it too. */
class EventHost implements AsyncDisposable {
  feed = new EventFeed(logger);
  running = true;
  isGuestStanding = false;
  stored: StoredMigration = {
    ...{ id: "m1", guest: "web1", from: "host-a", to: "host-b", state: "precopy" },
    ...{ startedMs: 1_000, endedMs: null, report: null, error: null },
  };
  daemon!: LocalDaemon;

  async start(): Promise<void> {
    this.daemon = await startLocalDaemon(() => this.#services(), {
      eventStreams: { heartbeatMs: 50, stallMs: 300, count: 3 },
      isGuestStanding: () => this.isGuestStanding,
    });
  }

  publish(event: MigrationEvent): string {
    return this.feed.publish({ migration: status, event }).id;
  }

  end(): string {
    const report = reportWith({ timeline: [{ phase: "completed", at_ms: 5, host: "host-a" }] });
    this.stored = { ...this.stored, state: "completed", endedMs: 2_000, report };
    this.running = false;
    return this.publish(report);
  }

  /** As a new daemon: nothing of the feed is left. */
  restart(): void {
    this.feed = new EventFeed(logger);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon[Symbol.asyncDispose]();
  }

  #services() {
    const migrations = { get: (id: string) => this.#find(id), isRunning: () => this.running };
    const lifelines = new Lifelines(async () => {}, logger);
    return fakeServices({ ...createEventServices({ feed: this.feed, migrations, lifelines }) });
  }

  #find(id: string): StoredMigration {
    if (id === "m1") return this.stored;
    throw preconditionError("SOJ_MIGRATION_UNKNOWN", "no", { httpStatus: 404 });
  }
}

let host: EventHost;

beforeEach(async () => {
  host = new EventHost();
  await host.start();
});
afterEach(() => host[Symbol.asyncDispose]());

/** A raw reader of a stream; HTTP/1.0 knows no chunks. */
class Reader implements Disposable {
  readonly socket: Socket;
  text = "";

  constructor(path: string, headers: readonly string[] = []) {
    this.socket = connect({ path: host.daemon.socketPath });
    this.socket.setEncoding("utf8").on("data", (data) => {
      this.text += data;
    });
    this.socket.on("error", () => {});
    this.socket.write([`GET ${path} HTTP/1.0`, ...headers, "", ""].join("\r\n"));
  }

  get ids(): string[] {
    return [...this.text.matchAll(/^id: (.*)\nevent:/gm)].map((match) => match[1] ?? "");
  }

  get events(): string[] {
    return [...this.text.matchAll(/^event: (.*)$/gm)].map((match) => match[1] ?? "");
  }

  async sees(text: string | RegExp): Promise<void> {
    await expect.poll(() => this.text, { interval: 5 }).toMatch(text);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const events = "/v1/migrations/m1/events";

describe("the events of a migration", () => {
  it("are not kept for readers that left while a guest stood", async () => {
    host.isGuestStanding = true;
    for (let count = 0; count < 3; count += 1) {
      using reader = new Reader(events);
      await once(reader.socket, "connect");
      await delay(20);
    }
    await delay(50);
    host.isGuestStanding = false;
    await delay(50);
    using last = new Reader(events);
    await last.sees("HTTP/1.1 200");
  });

  it("are resumed after the last that was read, with nothing missing and nothing twice", async () => {
    const ids = [host.publish(phaseEvent), host.publish(phaseEvent)];
    using first = new Reader(events);
    await first.sees(ids[1] ?? "");
    expect(first.text).toContain("content-type: text/event-stream");
    expect(first.text).toContain("retry: 1000");
    first.socket.destroy();
    ids.push(host.publish(phaseEvent));
    using second = new Reader(events, [`last-event-id: ${ids[1]}`]);
    await second.sees(ids[2] ?? "");
    ids.push(host.publish(phaseEvent));
    await second.sees(ids[3] ?? "");
    second.socket.destroy();
    // It ends while nobody is connected.
    ids.push(host.publish(phaseEvent), host.end());
    using third = new Reader(`${events}?last_event_id=${ids[3]}`);
    await once(third.socket, "end");
    expect([...first.ids, ...second.ids, ...third.ids]).toEqual(ids);
    expect(third.events).toEqual(["phase", "report"]);
  });

  it("wait while a guest stands, and come in order when it runs again", async () => {
    const ids = [host.publish(phaseEvent)];
    using reader = new Reader(events);
    await reader.sees(ids[0] ?? "");
    host.isGuestStanding = true;
    ids.push(host.publish(phaseEvent), host.publish(phaseEvent));
    // What another caller changes meanwhile does not wait.
    await host.daemon.client.cancelMigration("m1");
    expect(reader.ids).toEqual(ids.slice(0, 1));
    host.isGuestStanding = false;
    await reader.sees(ids[2] ?? "");
    expect(reader.ids).toEqual(ids);
  });

  it("end with 204 for a reader that knows the result", async () => {
    const last = host.end();
    using reader = new Reader(events, [`last-event-id: ${last}`]);
    await reader.sees(" 204 ");
  });

  it("are rebuilt from the report after a restart, with a gap where that matters", async () => {
    const id = host.publish(phaseEvent);
    host.end();
    host.restart();
    using late = new Reader(events, [`last-event-id: ${id}`]);
    await once(late.socket, "end");
    expect(late.events).toEqual(["gap", "phase", "report"]);
    expect(late.text).toContain('"reason":"other-daemon"');
    using fresh = new Reader(events);
    await once(fresh.socket, "end");
    expect(fresh.events).toEqual(["phase", "report"]);
    using again = new Reader(events, [`last-event-id: ${fresh.ids[0]}`]);
    await once(again.socket, "end");
    expect(again.events).toEqual(["report"]);
  });

  it("end with the report as it is now, and with an operator's decision", async () => {
    host.publish(phaseEvent);
    host.end();
    const report = { ...reportWith({}), flows: { established: 3, survived: 3 } };
    host.stored = { ...host.stored, report };
    using measured = new Reader(events);
    await once(measured.socket, "end");
    expect(measured.text).toContain('"flows":{"established":3,"survived":3}');
    const inDoubt = new SojournError("SOJ_IN_DOUBT", "who knows", { exitCode: 5 }).toRecord();
    host.stored = { ...host.stored, state: "in-doubt", report: null, error: inDoubt };
    host.publish(inDoubt);
    using doubted = new Reader(events);
    await once(doubted.socket, "end");
    expect(doubted.text).toContain("who knows");
    const kept = new SojournError("SOJ_RESOLVED_SOURCE", "kept here", { exitCode: 4 }).toRecord();
    host.stored = { ...host.stored, state: "rolled-back", error: kept };
    host.publish(kept);
    using decided = new Reader(events);
    await once(decided.socket, "end");
    expect(decided.text).toContain("kept here");
    expect(decided.text).not.toContain("who knows");
  });

  it("of an unknown migration are a problem", async () => {
    using reader = new Reader("/v1/migrations/m9/events");
    await reader.sees(" 404 ");
    await reader.sees("application/problem");
  });

  it("come with heartbeats while nothing happens", async () => {
    using reader = new Reader(events);
    await reader.sees(/: still here\n\n: still here\n\n/);
  });

  it("are for so many readers at once only", async () => {
    using one = new Reader(events);
    using two = new Reader(events);
    using three = new Reader(events);
    for (const reader of [one, two, three]) await reader.sees("200 OK");
    using four = new Reader(events);
    await four.sees("SOJ_TOO_MANY_STREAMS");
    one.socket.destroy();
    const free = async () => {
      using five = new Reader(events);
      await once(five.socket, "data");
      return five.text;
    };
    await expect.poll(free).toContain("200 OK");
  });

  it("are not kept for a reader that takes none: it is cut off", async () => {
    using reader = new Reader("/v1/events");
    await reader.sees("200 OK");
    reader.socket.pause();
    const closed = once(reader.socket, "close");
    const large = { ...phaseEvent, host: "x".repeat(50_000) };
    const before = process.memoryUsage().rss;
    for (let count = 0; count < 200; count += 1) {
      host.publish(large);
      if (count % 20 === 0) await new Promise(setImmediate);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    reader.socket.resume();
    await closed;
    expect(reader.ids.length).toBeLessThan(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });
});

describe("the events of the host", () => {
  it("begin now, with a place to go on from, and can be filtered", async () => {
    host.publish(phaseEvent);
    using reader = new Reader("/v1/events?guest=web1,web2&type=report");
    await reader.sees(`\nid: ${host.feed.lastId}\n\n`);
    host.publish(phaseEvent);
    const id = host.end();
    await reader.sees(id);
    expect(reader.events).toEqual(["report"]);
    expect(reader.text).toContain('"migration":{"id":"m1"');
    using none = new Reader("/v1/events?guest=web9&last_event_id=nonsense");
    await none.sees("event: gap");
    using bad = new Reader("/v1/events?type=everything");
    await bad.sees(" 400 ");
  });
});

describe("the client", () => {
  it("follows across dropped connections and a restart, and stops at the result", async () => {
    const seen: unknown[] = [];
    host.publish(phaseEvent);
    const followed = (async () => {
      for await (const event of host.daemon.client.migrationEvents("m1", never)) seen.push(event);
    })();
    await expect.poll(() => seen.length).toBe(1);
    await host.daemon.restart();
    host.publish(phaseEvent);
    await expect.poll(() => seen.length, { timeout: 5_000 }).toBe(2);
    await host.daemon.stop();
    host.end();
    host.restart();
    await host.daemon.start();
    await followed;
    expect(seen).toEqual([
      phaseEvent,
      phaseEvent,
      expect.objectContaining({ type: "gap", reason: "other-daemon" }),
      expect.objectContaining({ type: "phase", phase: "completed" }),
      host.stored.report,
    ]);
  });

  it("does not wait for a daemon that was never there, nor for ever for one that is gone", async () => {
    const { client } = host.daemon;
    await host.daemon.stop();
    const absent = client.migrationEvents("m1", never).next();
    await expect(absent).rejects.toMatchObject({ code: "SOJ_DAEMON_UNREACHABLE", exitCode: 7 });
    await host.daemon.start();
    host.publish(phaseEvent);
    const lost = client.migrationEvents("m1", never, { patienceMs: 1_500 });
    await lost.next();
    await host.daemon.stop();
    await expect(lost.next()).rejects.toMatchObject({
      code: "SOJ_DAEMON_UNREACHABLE",
      message: expect.stringContaining("migration m1"),
    });
    await host.daemon.start();
  });

  it("follows the host and can go on later", async () => {
    const { client } = host.daemon;
    const stop = new AbortController();
    const following = client.hostEvents(stop.signal, { guests: ["web1"], types: ["phase"] });
    const first = following.next();
    await expect
      .poll(() => {
        host.publish(phaseEvent);
        return Promise.race([
          first.then(() => true),
          new Promise((resolve) => setTimeout(resolve, 20)),
        ]);
      })
      .toBe(true);
    const { id } = (await first).value ?? {};
    stop.abort();
    expect((await following.next()).done).toBe(true);
    const next = host.publish(phaseEvent);
    const afterId = host.feed.lastId.replace(/\d+$/, (digits) => String(Number(digits) - 1));
    const later = client.hostEvents(new AbortController().signal, { afterId });
    expect(await later.next()).toMatchObject({ value: { id: next } });
    await later.return(undefined);
    expect(id).toMatch(/^[0-9a-f]{8}-\d+$/);
  });
});
