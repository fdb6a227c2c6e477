import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { startLocalApi } from "../../../src/daemon/local-api.ts";
import { createLogger } from "../../../src/platform/log.ts";
import { fakeServices } from "../fake-services.ts";
import { TestTcpApi } from "../tcp-api.ts";

/**
 * The API on TCP and on a unix socket in a process of its own, for its memory and its event loop to be measured: one
 * line of JSON with where it is, then one with how it fares for every line on standard input, until that ends.
 */
const folder = await mkdtemp(join(tmpdir(), "sojourn-flooded-"));
const socketPath = join(folder, "sojourn.sock");
const logger = createLogger("silent");
const server = await TestTcpApi.start({ handshakesPerSecond: 300 });
const local = await startLocalApi({
  ...{ socketPath, hostName: "host-a", services: () => fakeServices(), logger },
});
const loop = monitorEventLoopDelay({ resolution: 1 });
loop.enable();
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
const { authority, tokens, api } = server;
say({ port: api.port, socketPath, authority, token: tokens.read });
for await (const _line of createInterface({ input: process.stdin })) {
  const longestPauseMs = loop.max / 1e6;
  const cpuMs = (process.cpuUsage().user + process.cpuUsage().system) / 1000;
  const refused = Object.fromEntries(api.refused);
  const { connections } = api;
  say({ rssBytes: process.memoryUsage.rss(), connections, refused, longestPauseMs, cpuMs });
  loop.reset();
}
await local[Symbol.asyncDispose]();
await server[Symbol.asyncDispose]();
await rm(folder, { recursive: true, force: true });
