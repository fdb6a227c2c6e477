import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { delay, monotonicMs } from "../../../src/platform/clock.ts";

interface Flooded {
  port: number;
  socketPath: string;
  authority: string;
  token: string;
}

interface Reading {
  rssBytes: number;
  connections: number;
}

const connections = 10_000;
const atOnce = 500;

let child: ChildProcessWithoutNullStreams;
let lines: AsyncIterator<string>;
let flooded: Flooded;
let ca: Buffer;

beforeAll(async () => {
  const program = join(import.meta.dirname, "..", "..", "support", "programs", "tcp-api.ts");
  child = spawn(process.execPath, [program]);
  child.stderr.pipe(process.stderr);
  lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  flooded = await nextLine<Flooded>();
  ca = readFileSync(join(flooded.authority, "ca.crt"));
});
afterAll(async () => {
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.stdin.end();
  await ended;
});

describe("ten thousand slow connections", () => {
  it("leave memory bounded, the local socket answering, and callers served", async () => {
    expect(await askLocally()).toBe(200);
    expect(await askOverTcp()).toBe(200);
    const before = await read();
    const open = new Set<Socket>();
    let isOver = false;
    const answers: number[] = [];
    const asking = (async () => {
      while (!isOver) {
        answers.push(await askLocally(), await askOverTcp());
        await delay(50);
      }
    })();
    await flood(open);
    const during = await read();
    isOver = true;
    await asking;
    expect(during.connections).toBeLessThanOrEqual(512);
    expect(during.rssBytes - before.rssBytes).toBeLessThan(150e6);
    expect(answers.length).toBeGreaterThanOrEqual(4);
    expect(new Set(answers)).toEqual(new Set([200]));
    // What still waits for its handshake is cut off in time.
    const deadline = monotonicMs() + 15_000;
    while ((await read()).connections > 0 && monotonicMs() < deadline) await delay(200);
    expect((await read()).connections).toBe(0);
    for (const socket of open) socket.destroy();
  }, 60_000);
});

/** Opens them all, from many addresses; each then stays as silent as it may. */
async function flood(open: Set<Socket>): Promise<void> {
  let started = 0;
  let unsettled = 0;
  await new Promise<void>((resolve) => {
    const goOn = () => {
      while (started < connections && unsettled < atOnce) {
        unsettled += 1;
        openSlowly(started++, open, () => {
          unsettled -= 1;
          if (started === connections && unsettled === 0) resolve();
          else goOn();
        });
      }
    };
    goOn();
  });
}

/** A third says nothing, a third begins a TLS handshake, a third a request. */
function openSlowly(index: number, open: Set<Socket>, onSettled: () => void): void {
  const from = { localAddress: `127.0.${1 + (index % 50)}.${2 + (index % 7)}` };
  const target = { host: "127.0.0.1", port: flooded.port, ...from };
  const kind = index % 3;
  const socket: Socket = kind === 2 ? connectTls({ ...target, ca }) : connect(target);
  let isSettled = false;
  const settle = () => {
    if (isSettled) return;
    isSettled = true;
    onSettled();
  };
  open.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => {
    open.delete(socket);
    settle();
  });
  socket.on(kind === 2 ? "secureConnect" : "connect", () => {
    if (kind === 1) socket.write(Buffer.from("16030100f0010000", "hex"));
    if (kind === 2) socket.write("GET /v1/guests HTTP/1.1\r\nHost: x\r\nX: ");
    settle();
  });
}

function askLocally(): Promise<number> {
  const { socketPath } = flooded;
  return statusOf((done) => httpRequest({ socketPath, path: "/v1/guests", agent: false }, done));
}

function askOverTcp(): Promise<number> {
  const target = { host: "127.0.0.1", port: flooded.port, path: "/v1/guests", agent: false, ca };
  const headers = { authorization: `Bearer ${flooded.token}` };
  return statusOf((done) => httpsRequest({ ...target, headers }, done));
}

function statusOf(
  send: (
    done: (response: import("node:http").IncomingMessage) => void,
  ) => import("node:http").ClientRequest,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = send((response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function read(): Promise<Reading> {
  child.stdin.write("\n");
  return nextLine<Reading>();
}

async function nextLine<Value>(): Promise<Value> {
  const { value, done } = await lines.next();
  if (done) throw new Error("the program ended");
  return JSON.parse(value) as Value;
}
