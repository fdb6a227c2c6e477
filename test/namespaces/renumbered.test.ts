import { expect, test } from "vitest";
import { packetsWhile } from "../support/capture.ts";
import { learnedMtu } from "../support/mtu-bed.ts";
import {
  clientAddress,
  newAddress,
  oldAddress,
  openRenumberedBed,
  pathsWhile,
  records,
  siblingAddress,
} from "../support/renumbered-bed.ts";
import { ping } from "../support/two-hosts.ts";

const between = (one: string, other: string) =>
  [`${one} > ${other}`, `${other} > ${one}`].toSorted();

test("flows of a renumbered guest take the way of the address that they began with, until its redirect is retired", async () => {
  await using bed = await openRenumberedBed();
  const { hosts, sibling, talkers } = bed;
  const { client, guest } = talkers;
  expect(await client.open("old-in", oldAddress)).toBe(clientAddress);
  expect(await guest.open("old-out", clientAddress)).toBe(oldAddress);
  expect(await talkers.sibling.open("old-in", oldAddress)).toBe(siblingAddress);

  await bed.apply(records.moved);
  await bed.replug();
  const before = await pathsWhile(bed, async () => {
    expect(await guest.open("moved-out", clientAddress)).toBe(oldAddress);
  });
  expect(before).toEqual({ home: between(oldAddress, clientAddress), world: [] });

  await bed.apply(records.renumbered);
  const established = await pathsWhile(bed, async () => {
    for (const name of ["old-out", "moved-out"]) expect(await guest.say(name)).toBe(oldAddress);
    // Begun before anybody tracked them, as if where the guest came from nobody did.
    await hosts.b.run("conntrack", ["-F"]);
    expect(await guest.say("old-out")).toBe(oldAddress);
    expect(await client.say("old-in")).toBe(clientAddress);
    expect(await client.open("new-in-to-old", oldAddress)).toBe(clientAddress);
    expect(await ping(hosts.client, oldAddress, 1)).toHaveLength(1);
  });
  expect(established).toEqual({ home: between(oldAddress, clientAddress), world: [] });

  const begun = await pathsWhile(bed, async () => {
    expect(await guest.open("new-out", clientAddress)).toBe(newAddress);
    expect(await client.open("new-in", newAddress)).toBe(clientAddress);
    expect(await ping(hosts.guest, clientAddress, 1)).toHaveLength(1);
    expect(await ping(hosts.client, newAddress, 1)).toHaveLength(1);
  });
  expect(begun).toEqual({ home: [], world: between(newAddress, clientAddress) });

  const nearby = await pathsWhile(bed, async () => {
    expect(await talkers.sibling.say("old-in")).toBe(siblingAddress);
    expect(await talkers.sibling.open("new-in", newAddress)).toBe(siblingAddress);
    expect(await guest.open("to-sibling", siblingAddress)).toBe(newAddress);
    expect(await guest.open("to-itself", newAddress)).toBe(newAddress);
    expect(await ping(hosts.b, newAddress, 1)).toHaveLength(1);
    expect(await ping(hosts.guest, "10.2.0.1", 1)).toHaveLength(1);
  });
  expect(nearby).toEqual({ home: [], world: [] });

  await hosts.router.ip("link set dev c0 mtu 1000");
  await hosts.client.ip("link set dev eth0 mtu 1000");
  // Errors reach the guest for both kinds of flow; the tunnel's size is told to those that take it.
  for (const [name, bytes, mtu] of [
    ["new-out", 1_200, 1_000],
    ["new-out", 20_000, 1_000],
    ["old-out", 1_200, 1_000],
    ["old-out", 20_000, 1_480],
  ] as const) {
    await hosts.guest.ip("route flush cache");
    expect([name, bytes, await guest.say(name, bytes)]).toEqual([
      name,
      bytes,
      name === "new-out" ? newAddress : oldAddress,
    ]);
    expect(await learnedMtu(hosts.guest, clientAddress)).toBe(mtu);
  }

  await bed.apply(records.retired);
  const later = await pathsWhile(bed, async () => {
    for (const name of ["new-out", "to-sibling", "to-itself"]) {
      expect([name, await guest.say(name)]).toEqual([name, newAddress]);
    }
    expect(await client.say("new-in")).toBe(clientAddress);
    expect(await guest.open("newest-out", clientAddress)).toBe(newAddress);
    expect(await client.open("newest-in", newAddress)).toBe(clientAddress);
    expect(await talkers.sibling.say("new-in")).toBe(siblingAddress);
    expect(await talkers.sibling.say("old-in")).toBe(siblingAddress);
    expect(await ping(hosts.b, newAddress, 1)).toHaveLength(1);
    expect(await ping(hosts.guest, "10.2.0.1", 1)).toHaveLength(1);
  });
  expect(later).toEqual({ home: [], world: between(newAddress, clientAddress) });

  await bed.expectNeighbours();
  const told = await packetsWhile(hosts.guest, "eth0", "icmp[0] == 3", async () => {
    const cut = await pathsWhile(bed, async () => {
      await guest.sayInVain("old-out");
      expect(await ping(sibling, oldAddress, 1)).toEqual([]);
    });
    expect(cut).toEqual({ home: [], world: [`${siblingAddress} > ${oldAddress}`] });
  });
  expect(told.join("\n")).toMatch(/host .* unreachable/);
});

test("what comes for the guest before it does is of its old address", async () => {
  await using bed = await openRenumberedBed();
  const { client, guest } = bed.talkers;
  expect(await client.open("old-in", oldAddress)).toBe(clientAddress);
  await bed.apply(records.expected);
  await client.sayInVain("old-in");
  await bed.apply(records.renumbered);
  await bed.replug();
  const paths = await pathsWhile(bed, async () => {
    expect(await client.say("old-in")).toBe(clientAddress);
  });
  expect(paths).toEqual({ home: between(oldAddress, clientAddress), world: [] });
  expect(await guest.open("new-out", clientAddress)).toBe(newAddress);
  await bed.expectNeighbours();
});

test("a guest whose redirect is retired without a new address has its neighbours at the host left", async () => {
  await using bed = await openRenumberedBed();
  const { client, sibling } = bed.talkers;
  expect(await client.open("old-in", oldAddress)).toBe(clientAddress);
  expect(await sibling.open("old-in", oldAddress)).toBe(siblingAddress);
  await bed.apply(records.isolated);
  await bed.replug();
  expect(await sibling.say("old-in")).toBe(siblingAddress);
  expect(await sibling.open("new-in", oldAddress)).toBe(siblingAddress);
  await bed.expectNeighbours();
  await client.sayInVain("old-in");
  expect(await ping(bed.hosts.guest, clientAddress, 1)).toEqual([]);
});
