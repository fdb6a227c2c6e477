/**
 * Many readers of one API, each with a connection of its own: most ask in turn for lists and metrics, one in five
 * follows events. `readers.ts JSON` (ReadersOptions); prints "ready" once all are connected, and what came of it when
 * its input ends.
 */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { standAside } from "./stand-aside.ts";

export interface ReadersOptions {
  host: string;
  port: number;
  caPath: string;
  tokens: string[];
  readers: number;
  /** Between a reader's requests. */
  intervalMs: number;
}

export interface ReadersResult {
  latenciesMs: number[];
  /** By status, or code of the socket's error. */
  outcomes: Record<string, number>;
  followers: number;
  /** That followers have been told of, in all. */
  events: number;
}

const paths = ["/v1/migrations?limit=20", "/v1/guests", "/v1/hosts", "/metrics"];
const options = JSON.parse(process.argv[2] ?? "") as ReadersOptions;
const ca = readFileSync(options.caPath);
standAside();
const result: ReadersResult = { latenciesMs: [], outcomes: {}, followers: 0, events: 0 };
let isOver = false;
let isCounted = false;

process.stdin.resume().on("end", () => {
  isOver = true;
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
});

for (let number = 0; number < options.readers; number += 1) {
  if (number % 5 === 4) follow(number);
  else void poll(number);
  await delay(10);
}
await delay(1_000);
isCounted = true;
process.stdout.write('"ready"\n');

async function poll(number: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
  for (let turn = number; !isOver; turn += 1) {
    const startedMs = performance.now();
    const outcome = await get(agent, paths[turn % paths.length] as string, number);
    const tookMs = performance.now() - startedMs;
    if (isCounted) {
      result.latenciesMs.push(tookMs);
      result.outcomes[outcome] = (result.outcomes[outcome] ?? 0) + 1;
    }
    await delay(Math.max(0, options.intervalMs * (0.75 + Math.random() / 2) - tookMs));
  }
}

function get(agent: Agent, path: string, number: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  request(addressed(agent, path, number), (response) => {
    response.on("error", (error) => resolve(error.message));
    response.on("end", () => resolve(`${response.statusCode}`)).resume();
  })
    .on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    .end();
  return promise;
}

function follow(number: number): void {
  const agent = new Agent({ keepAlive: true, ca });
  request(addressed(agent, "/v1/events", number), (response) => {
    if (response.statusCode === 200) result.followers += 1;
    response.setEncoding("utf8");
    response.on("error", () => {});
    response.on("data", (text: string) => {
      result.events += text.split("\nevent: ").length - 1;
    });
  })
    .on("error", () => {})
    .end();
}

function addressed(agent: Agent, path: string, number: number) {
  const { host, port, tokens } = options;
  const authorization = `Bearer ${tokens[number % tokens.length]}`;
  return { host, port, path, agent, headers: { authorization } };
}
