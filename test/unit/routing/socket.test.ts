import { expect, test } from "vitest";
import { readLink, readSnapshot } from "../../../src/routing/netlink/reader.ts";
import { MessageType, RouteNetlink } from "../../../src/routing/netlink/socket.ts";

test("requests made at once are answered one after the other", async () => {
  using netlink = new RouteNetlink();
  const snapshots = await Promise.all(Array.from({ length: 60 }, () => readSnapshot(netlink)));
  for (const { links } of snapshots) expect(links.map(({ name }) => name)).toContain("lo");
});

test("a refusal carries the kernel's errno, and the socket goes on", async () => {
  using netlink = new RouteNetlink();
  const nonsense = Buffer.alloc(2);
  await expect(netlink.request("nonsense", MessageType.newRoute, nonsense)).rejects.toMatchObject({
    code: expect.stringMatching(/^SOJ_NETLINK_E/),
  });
  expect(await readLink(netlink, "lo")).toMatchObject({ name: "lo", up: true });
  expect(await readLink(netlink, "gone0")).toBeNull();
});
