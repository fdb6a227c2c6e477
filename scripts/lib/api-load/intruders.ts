/**
 * Callers who mean no good: thousands of slow connections, and requests that must be refused, over and over.
 * `intruders.ts JSON` (IntrudersOptions); prints "ready" once it is under way, and what came of it when its input ends.
 */
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { connect as connectTcp, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { connect as connectTls } from "node:tls";

export interface IntrudersOptions {
  host: string;
  port: number;
  caPath: string;
  /** Of the role read, and of the role operate. */
  tokens: { read: string; operate: string };
  /** Slow connections that are opened in all. */
  connections: number;
  /** Addresses of this machine from which they come. */
  addresses: string[];
}

export interface IntrudersResult {
  connections: { opened: number; refusedOrCut: number; mostAtOnce: number };
  /** By kind of request: how often each status, or code of the socket's error, was the answer. */
  answers: Record<string, Record<string, number>>;
  /** Kinds of which one was answered other than with a refusal. */
  wrong: string[];
}

interface Attack {
  name: string;
  method: string;
  path: string;
  token?: string;
  body?: string | Buffer;
  refusals: readonly string[];
}

const startOfHandshake = Buffer.from("16030100f0010000", "hex");
const options = JSON.parse(process.argv[2] ?? "") as IntrudersOptions;
const ca = readFileSync(options.caPath);
const { read, operate } = options.tokens;
const move = { method: "POST", path: "/v1/migrations" };
const attacks: Attack[] = [
  { name: "unauthenticated", method: "GET", path: "/v1/guests", refusals: ["401"] },
  { name: "unknown token", ...move, token: "sjt_nobody", body: "{}", refusals: ["401"] },
  { name: "wrong role", ...move, token: read, body: "{}", refusals: ["403"] },
  { name: "10 MB body", ...move, token: operate, body: Buffer.alloc(1e7, " "), refusals: ["413"] },
  { name: "invalid JSON", ...move, token: operate, body: '{"guest": ', refusals: ["400"] },
  {
    name: "traversal in a body",
    ...{ ...move, token: operate, refusals: ["400"] },
    body: '{"guest": "../../etc/passwd", "to": "host-b"}',
  },
  ...["/v1/guests/..%2f..%2f..%2fetc%2fpasswd", "/v1/guests/%2e%2e/%2e%2e/etc/passwd"].map(
    (path) => ({
      name: "traversal in a path",
      method: "GET",
      path,
      token: read,
      refusals: ["400", "404"],
    }),
  ),
];
/** Beyond its limits the API may refuse anything: too many requests, or the connection itself. */
const limited = ["429", "ECONNRESET", "EPIPE", "ECONNREFUSED"];
const result: IntrudersResult = {
  connections: { opened: 0, refusedOrCut: 0, mostAtOnce: 0 },
  answers: {},
  wrong: [],
};
const open = new Set<Socket>();
let isOver = false;

process.stdin.resume().on("end", async () => {
  await flooded;
  isOver = true;
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
});
for (const attack of attacks) void repeat(attack);
const flooded = flood();
await delay(1_000);
process.stdout.write('"ready"\n');

async function repeat(attack: Attack): Promise<void> {
  for (; !isOver; await delay(500)) {
    const answer = await ask(attack);
    const answers = result.answers[attack.name] ?? {};
    result.answers[attack.name] = { ...answers, [answer]: (answers[answer] ?? 0) + 1 };
    const isRefused = attack.refusals.includes(answer) || limited.includes(answer);
    if (!isRefused && !result.wrong.includes(attack.name)) result.wrong.push(attack.name);
  }
}

function ask({ method, path, token, body }: Attack): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { host, port } = options;
  const headers = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": body.length }),
  };
  request({ host, port, ca, path, method, headers, agent: false }, (response) => {
    resolve(`${response.statusCode}`);
    response.on("error", () => {}).resume();
  })
    .on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    .end(body);
  return promise;
}

/** As many a second as ten seconds take for all: silent ones, begun handshakes, and requests that never end. */
async function flood(): Promise<void> {
  const { connections } = result;
  while (connections.opened < options.connections) {
    for (let n = 0; n < options.connections / 500; n += 1) openOne(connections.opened++);
    connections.mostAtOnce = Math.max(connections.mostAtOnce, open.size);
    await delay(20);
  }
}

function openOne(number: number): void {
  const localAddress = options.addresses[number % options.addresses.length] as string;
  const target = { host: options.host, port: options.port, localAddress };
  const isRequest = number % 3 === 0;
  const socket = isRequest ? connectTls({ ...target, ca }) : connectTcp(target);
  open.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => {
    open.delete(socket);
    result.connections.refusedOrCut += 1;
  });
  if (isRequest) socket.on("secureConnect", () => socket.write("GET /v1/guests HTTP/1.1\r\nX-A: "));
  else if (number % 3 === 1) socket.on("connect", () => socket.write(startOfHandshake));
}
