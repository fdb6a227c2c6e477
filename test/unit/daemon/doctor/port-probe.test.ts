import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { openPortProbe, reachPort } from "../../../../src/daemon/doctor/pair/port-probe.ts";

const nonce = "0123456789abcdef".repeat(2);
const first = 41_000;

describe("a port probe", () => {
  it("is reached by who knows its nonce, and by nobody else", async () => {
    await using probe = await openPortProbe("127.0.0.1", first, nonce);
    expect(await reachPort("127.0.0.1", probe.port, nonce)).toBeNull();
    expect(await reachPort("127.0.0.1", probe.port, "f".repeat(32))).toBe("the connection was cut");
    const stranger = connect(probe.port, "127.0.0.1");
    stranger.end("GET / HTTP/1.1\r\nHost: somebody\r\n\r\n".padEnd(200, "x"));
    stranger.on("error", () => {});
    await once(stranger, "close");
    expect(await reachPort("127.0.0.1", probe.port, nonce)).toBeNull();
  });

  it("takes the next free port, and is gone afterwards", async () => {
    await using one = await openPortProbe("127.0.0.1", first + 100, nonce);
    const two = await openPortProbe("127.0.0.1", one.port, nonce);
    expect(two.port).toBeGreaterThan(one.port);
    await two[Symbol.asyncDispose]();
    expect(await reachPort("127.0.0.1", two.port, nonce)).toBe("ECONNREFUSED");
  });

  it("cannot be had any number of times", async () => {
    await using stack = new AsyncDisposableStack();
    for (let index = 0; index < 6; index += 1) {
      stack.use(await openPortProbe("127.0.0.1", first + 200 + index, nonce));
    }
    await expect(openPortProbe("127.0.0.1", first + 300, nonce)).rejects.toMatchObject({
      code: "SOJ_DOCTOR_PORT",
    });
  });

  it("tells when somebody else has the port", async () => {
    const server = createServer((socket) =>
      socket.end("220 mail ready, and more than that, too\r\n"),
    );
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    expect(await reachPort("127.0.0.1", port, nonce)).toBe("something else answers there");
    server.close();
  });
});
