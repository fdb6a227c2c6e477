import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { unsentBytes, unsentIn } from "../../../src/platform/unsent-bytes.ts";

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 020110AC:C350 020210AC:ABCD 01 00001000:00000000 01:00000014 00000000     0        0 8 2 0 20 4 24 10 -1
   1: 020110AC:C351 020210AC:ABCD 01 00000001:0000FFFF 01:00000014 00000000     0        0 9 2 0 20 4 24 10 -1
   2: 020210AC:ABCD 020110AC:C350 01 00000100:00000000 01:00000014 00000000     0        0 7 2 0 20 4 24 10 -1
`;

test("what all connections to a port have queued is counted, and nothing else", () => {
  expect(unsentIn(table, "172.16.2.2", 0xabcd)).toBe(4_097);
  expect(unsentIn(table, "172.16.2.2", 80)).toBe(0);
  expect(unsentIn(table, "fd00::1", 0xabcd)).toBe(0);
});

test("any text is a table of so many bytes", () => {
  const line = fc.string({ maxLength: 60 }).map((text) => `0: A 020210AC:ABCD 01 ${text}`);
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
      expect(unsentIn(lines.join("\n"), "172.16.2.2", 0xabcd)).toBeGreaterThanOrEqual(0);
    }),
  );
});

test("the kernel's own table tells of a connection whose other end does not read", async () => {
  const server = createServer((socket) => socket.pause());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  expect(unsentBytes("127.0.0.1", port)).toBe(0);
  socket.write(Buffer.alloc(32 * 1024 * 1024));
  await expect.poll(() => unsentBytes("127.0.0.1", port)).toBeGreaterThan(100_000);
  socket.destroy();
  server.close();
});
