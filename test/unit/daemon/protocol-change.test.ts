import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, expect, it } from "vitest";
import { createClient } from "../../../src/client/index.ts";
import { createPeerClient } from "../../../src/daemon/peer-client.ts";
import { baseProcedures } from "../../../src/daemon/procedures.ts";
import { createTestAuthority } from "../../support/host-certificates.ts";

let stack = new AsyncDisposableStack();

afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

/** Node ends a request that is answered so without an error and without an answer. */
function changeProtocol(socket: Socket): void {
  socket.on("error", () => {});
  socket.once("data", () =>
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
  );
}

it("a peer that changes the protocol is unreachable, and not waited for for ever", async () => {
  const authority = stack.use(await createTestAuthority("host-a", "host-b"));
  const [ours, theirs] = [authority.hosts["host-a"], authority.hosts["host-b"]];
  if (ours === undefined || theirs === undefined) throw new Error("no certificates");
  const [cert, key] = await Promise.all(
    [theirs.certificatePath, theirs.keyPath].map((path) => readFile(path)),
  );
  const server = createTlsServer({ cert, key }, changeProtocol);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  stack.defer(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const peer = stack.use(
    await createPeerClient({
      ...{ peer: "host-b", address: { address: "127.0.0.1", port } },
      ...{ tls: ours, procedures: baseProcedures },
    }),
  );
  const asked = peer.call("hypervisor", {}, { timeoutMs: 1_000 });
  await expect(asked).rejects.toMatchObject({ code: "SOJ_PEER_UNREACHABLE" });
});

it("a daemon that changes the protocol is unreachable", async () => {
  const authority = stack.use(await createTestAuthority());
  const server = createServer(changeProtocol);
  const socketPath = `${authority.folder}/daemon.sock`;
  server.listen(socketPath);
  await once(server, "listening");
  stack.defer(() => void server.close());
  const asked = createClient({ socketPath }).health();
  await expect(asked).rejects.toMatchObject({ code: "SOJ_DAEMON_UNREACHABLE" });
});
