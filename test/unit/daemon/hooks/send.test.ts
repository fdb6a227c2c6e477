import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { type HookRequest, HookSender } from "../../../../src/daemon/hooks/send.ts";
import { TargetPolicy } from "../../../../src/daemon/hooks/targets.ts";
import { createTestAuthority } from "../../../support/host-certificates.ts";
import { startReceiver } from "./receiver.ts";

const policy = new TargetPolicy(["127.0.0.0/8"]);
const sender = new HookSender({ policy });
const request = (url: string, change: Partial<HookRequest> = {}): HookRequest => ({
  ...{ url, body: '{"a":1}', headers: { "webhook-id": "msg_1" }, timeoutMs: 5_000 },
  ...change,
});
const failure = (code: unknown, change = {}) => expect.objectContaining({ code, ...change });
const cleanUps = new AsyncDisposableStack();
let stack = cleanUps;

afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

describe("sender", () => {
  it("posts the body and gives back status and answer", async () => {
    const receiver = stack.use(
      await startReceiver({ answer: (_, response) => response.writeHead(201).end("thanks") }),
    );
    const answer = await sender.send(request(receiver.url));
    expect(answer).toMatchObject({ status: 201, body: "thanks", isComplete: true });
    const [message] = receiver.received;
    expect(message).toMatchObject({ url: "/hook", body: '{"a":1}' });
    expect(message?.headers).toMatchObject({
      ...{ "content-type": "application/json", "webhook-id": "msg_1", "content-length": "7" },
      connection: "close",
    });
  });

  it("takes an answer that changes the protocol for none, and its turn is over", async () => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () =>
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        ),
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    stack.defer(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const one = new HookSender({ policy, concurrency: 1 });
    for (const _ of [1, 2]) {
      await expect(one.send(request(url))).rejects.toThrow(failure("SOJ_HOOK_UNREACHABLE"));
    }
  });

  it("reads no more than 4 KiB of an answer, however long it is", async () => {
    let written = 0;
    const receiver = stack.use(
      await startReceiver({
        answer: (_, response) => {
          response.writeHead(200);
          const more = () => {
            while (!response.destroyed && written < 1e9 && response.write("x".repeat(65_536))) {
              written += 65_536;
            }
          };
          response.on("drain", more).on("error", () => {});
          more();
        },
      }),
    );
    const answer = await sender.send(request(receiver.url));
    expect(answer.body).toHaveLength(4096);
    expect(answer.isComplete).toBe(false);
    expect(written).toBeLessThan(20e6);
  });

  it("does not follow redirects", async () => {
    const other = stack.use(await startReceiver());
    const receiver = stack.use(
      await startReceiver({
        answer: (_, response) => response.writeHead(307, { location: other.url }).end(),
      }),
    );
    await expect(sender.send(request(receiver.url))).rejects.toThrow(
      failure("SOJ_HOOK_REDIRECTED", { status: 307 }),
    );
    expect(other.received).toHaveLength(0);
  });

  it("tells a refusal with the pause that the receiver asks for", async () => {
    const receiver = stack.use(
      await startReceiver({
        answer: (_, response) =>
          response.writeHead(503, { "retry-after": "7" }).end("full\n\u001b[2Jup"),
      }),
    );
    const sent = sender.send(request(`${receiver.url}?token=SECRET`));
    await expect(sent).rejects.toThrow(
      failure("SOJ_HOOK_REFUSED", { status: 503, retryAfterMs: 7000, retryable: true }),
    );
    await expect(sent).rejects.toThrow(
      `http://127.0.0.1:${receiver.port} answered 503: full [2Jup`,
    );
    await expect(sent).rejects.not.toThrow("SECRET");
  });

  it("gives up on a receiver that accepts the connection and stays silent", async () => {
    const silent = stack.use(await startSilentServer());
    const sent = sender.send(request(silent.url, { timeoutMs: 100 }));
    await expect(sent).rejects.toThrow(failure("SOJ_HOOK_TIMEOUT"));
    await silent.allClosed();
  });

  it("takes the status of an answer whose body does not end", async () => {
    const receiver = stack.use(
      await startReceiver({ answer: (_, response) => response.writeHead(200).write("begun") }),
    );
    const answer = await sender.send(request(receiver.url, { timeoutMs: 200 }));
    expect(answer).toMatchObject({ status: 200, body: "begun", isComplete: false });
  });

  it("is stopped by the signal, before its turn and during the exchange", async () => {
    const silent = stack.use(await startSilentServer());
    const one = new HookSender({ policy, concurrency: 1 });
    const [first, second] = [new AbortController(), new AbortController()];
    const running = one.send(request(silent.url, { signal: first.signal }));
    const waiting = one.send(request(silent.url, { signal: second.signal }));
    await silent.connected();
    second.abort();
    await expect(waiting).rejects.toThrow(failure("SOJ_HOOK_STOPPED"));
    first.abort();
    await expect(running).rejects.toThrow(failure("SOJ_HOOK_STOPPED"));
    await silent.allClosed();
    const receiver = stack.use(await startReceiver());
    await expect(one.send(request(receiver.url))).resolves.toMatchObject({ status: 204 });
  });

  it("bounds how many are sent at once", async () => {
    let [now, most] = [0, 0];
    const receiver = stack.use(
      await startReceiver({
        answer: (_, response) => {
          now += 1;
          most = Math.max(most, now);
          setImmediate(() => {
            now -= 1;
            response.end();
          });
        },
      }),
    );
    const three = new HookSender({ policy, concurrency: 3 });
    await Promise.all(Array.from({ length: 30 }, () => three.send(request(receiver.url))));
    expect(receiver.received).toHaveLength(30);
    expect(most).toBeLessThanOrEqual(3);
  });

  it("tells who cannot be reached", async () => {
    const receiver = await startReceiver();
    await receiver[Symbol.asyncDispose]();
    await expect(sender.send(request(receiver.url))).rejects.toThrow(
      failure("SOJ_HOOK_UNREACHABLE", { status: null, hint: expect.stringContaining("firewalls") }),
    );
  });

  it("resolves a name once, and connects to the address that it has checked", async () => {
    const receiver = stack.use(await startReceiver());
    const answers = ["127.0.0.1", "10.0.0.1"];
    let asked = 0;
    const named = new HookSender({
      policy,
      resolve: async () => [{ address: answers[asked++] ?? "", family: 4 }],
    });
    const url = `http://rebind.example:${receiver.port}/hook`;
    await expect(named.send(request(url))).resolves.toMatchObject({ status: 204 });
    expect(asked).toBe(1);
    expect(receiver.received[0]?.headers.host).toBe(`rebind.example:${receiver.port}`);
    await expect(named.send(request(url))).rejects.toThrow(failure("SOJ_HOOK_TARGET_REFUSED"));
    expect(receiver.received).toHaveLength(1);
  });

  it("trusts the authority of the hook's file, and otherwise only the system's", async () => {
    const authority = stack.use(await createTestAuthority("receiver"));
    const files = authority.hosts.receiver;
    if (files === undefined) throw new Error("no certificate");
    const [key, cert, ca] = (await Promise.all(
      [files.keyPath, files.certificatePath, files.caPath].map((path) => readFile(path, "utf8")),
    )) as [string, string, string];
    const receiver = stack.use(await startReceiver({ tls: { key, cert } }));
    await expect(sender.send(request(receiver.url, { ca }))).resolves.toMatchObject({
      status: 204,
    });
    await expect(sender.send(request(receiver.url))).rejects.toThrow(failure("SOJ_HOOK_TLS"));
    for (const broken of [
      "garbage",
      ca.replace(/\n[A-Za-z0-9]{20}/, "\nAAAAAAAAAAAAAAAAAAAA"),
      cert,
    ]) {
      const sent = sender.send(request(receiver.url, { ca: broken }));
      await expect(sent).rejects.toThrow(failure(expect.stringMatching(/^SOJ_HOOK_/)));
    }
    const named = new HookSender({
      policy,
      resolve: async () => [{ address: "127.0.0.1", family: 4 }],
    });
    const otherName = `https://other.example:${receiver.port}/`;
    await expect(named.send(request(otherName, { ca }))).rejects.toThrow(failure("SOJ_HOOK_TLS"));
    expect(receiver.received).toHaveLength(1);
  });

  it("does not wait for a resolver that does not answer", async () => {
    const named = new HookSender({ policy, resolve: () => new Promise(() => {}) });
    const sent = named.send(request("https://slow.example/", { timeoutMs: 50 }));
    await expect(sent).rejects.toThrow(failure("SOJ_HOOK_TIMEOUT"));
  });

  it("never sends to loopback that is not listed", async () => {
    const receiver = stack.use(await startReceiver());
    const strict = new HookSender({ policy: new TargetPolicy() });
    for (const host of ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"]) {
      for (const protocol of ["http", "https"]) {
        const sent = strict.send(request(`${protocol}://${host}:${receiver.port}/`));
        await expect(sent).rejects.toThrow(failure("SOJ_HOOK_TARGET_REFUSED"));
      }
    }
    expect(receiver.received).toHaveLength(0);
  });
});

/** Accepts connections and says nothing. */
async function startSilentServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).resume();
    socket.once("close", () => {
      sockets.delete(socket);
      server.emit("gone");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async connected() {
      if (sockets.size === 0) await once(server, "connection");
    },
    async allClosed() {
      while (sockets.size > 0) await once(server, "gone");
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
