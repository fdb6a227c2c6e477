import { expect, test } from "vitest";
import { decodeLink, linkDumpRequest, linkRequest } from "../../../src/routing/netlink/links.ts";
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

test("several questions in one datagram are answered each for itself, however many follow", async () => {
  using netlink = new RouteNetlink();
  const names = Array.from({ length: 40 }, (_, index) => (index % 3 === 1 ? "gone0" : "lo"));
  const all = await Promise.all(
    [names, [], names.slice(0, 2)].map((some) =>
      netlink.batch("links", MessageType.getLink, some.map(linkRequest)),
    ),
  );
  const told = (name: string) => (name === "lo" ? [null, 1] : ["ENODEV", 0]);
  const heard = all.map((some) => some.map(({ errnoName, data }) => [errnoName, data.length]));
  expect(heard).toEqual([names.map(told), [], names.slice(0, 2).map(told)]);
});

test("a long list is given object by object, and what the visitor throws ends it", async () => {
  using netlink = new RouteNetlink();
  const names: string[] = [];
  const list = (visit: (object: Buffer) => void) =>
    netlink.dumpEach("link list", MessageType.getLink, linkDumpRequest(), () => visit);
  await list((object) => names.push(decodeLink(object).name));
  expect(names).toContain("lo");
  const ended = list(() => {
    throw new Error("enough");
  });
  await expect(ended).rejects.toThrow("enough");
  expect(await readLink(netlink, "lo")).toMatchObject({ name: "lo" });
});
