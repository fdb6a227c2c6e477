import { chmodSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { GuestNames, type NameNews } from "../../src/daemon/dns/guest-names.ts";
import { MovedNames } from "../../src/daemon/dns/moved-names.ts";
import type { HostNetwork } from "../../src/migrator/host-network.ts";
import { RecordStore } from "../../src/migrator/record-store.ts";
import type { Drain, GuestRecord } from "../../src/migrator/records.ts";
import { wallClockMs } from "../../src/platform/clock.ts";
import { runCommand } from "../../src/platform/command.ts";
import { createLogger } from "../../src/platform/log.ts";
import { diskStorage } from "../../src/platform/storage.ts";
import { Named, nameServerIn } from "../support/named.ts";
import { createNamespace, type Namespace } from "../support/namespaces.ts";
import { aToB, hostA, recordOf, temporaryFolder } from "../unit/migrator/support.ts";

const forAges = "web3 2147483647 A 10.1.0.12";

let stack: AsyncDisposableStack;
let namespace: Namespace;
let named: Named;
let server: Awaited<ReturnType<typeof nameServerIn>>;
let folder: ReturnType<typeof temporaryFolder>;
let records: RecordStore;
let news: NameNews[];
let told: () => void;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  namespace = stack.use(await createNamespace("dns"));
  const zone = ["web1 120 A 10.1.0.10", "web1 120 A 192.0.2.80", "web2 7 A 10.1.0.11", forAges];
  named = stack.use(await Named.start(namespace, zone));
  server = stack.use(await nameServerIn(namespace, named.config));
});
afterAll(() => stack.disposeAsync());

beforeEach(() => {
  folder = temporaryFolder();
  records = new RecordStore(`${folder.path}/guests`);
  news = [];
  told = () => {};
  return () => folder[Symbol.dispose]();
});

const drain: Drain = {
  ...{ migration: "m1", renumbered: "10.2.0.2", begunMs: wallClockMs(), nameUpdatedMs: null },
  ...{ idleTimeoutS: 60, capS: null, nameTtlS: 5 },
};
const away = (guest: string, octet: number): GuestRecord => ({
  ...recordOf(guest, octet),
  redirect: { host: "host-b", tunnel: aToB, drain },
});
const drainOf = (guest: string) => records.get(guest)?.redirect?.drain;

/** What a daemon of the home does about names, until it is disposed. */
function daemon(): GuestNames {
  const hold = async () => ({ [Symbol.dispose]: () => {} });
  const network = { hold } as unknown as HostNetwork;
  const names = new GuestNames({
    ...{ config: named.config, server, isGuestStanding: () => false },
    context: { host: hostA, records, network, logger: createLogger("silent") },
    moved: new MovedNames(folder.path, diskStorage, () => {}),
    tell: (one) => {
      news.push(one);
      told();
    },
  });
  names.begin();
  return names;
}

/** Resolves when so many things were told in all. */
async function heard(count: number): Promise<void> {
  while (news.length < count) await new Promise<void>((resolve) => (told = resolve));
}

test("a renumbered guest's name leads to its new address, and home when the guest is there again", async () => {
  records.put(away("web1", 10));
  {
    using names = daemon();
    await heard(1);
    expect(news).toMatchObject([{ address: "10.2.0.2", ttlS: 120, failure: null }]);
    expect(names.pending).toBe(0);
  }
  // Its other address is nobody's business here.
  expect(await named.look("web1.guests.test")).toEqual(
    expect.arrayContaining(["10.2.0.2 60", "192.0.2.80 60"]),
  );
  expect(drainOf("web1")).toMatchObject({ nameTtlS: 120, nameUpdatedMs: expect.any(Number) });

  // Home again while no daemon ran.
  records.put({ ...recordOf("web1", 10), epoch: 3 });
  using _names = daemon();
  await heard(2);
  expect(news[1]).toMatchObject({ address: "10.1.0.10", migration: "m1", failure: null });
  const answers = await named.look("web1.guests.test");
  expect(answers).toContain("10.1.0.10 60");
  expect(answers.some((answer) => answer.startsWith("10.2.0.2"))).toBe(false);
});

test("what fails is tried again, also by the next daemon; the old TTL is not forgotten meanwhile", async () => {
  records.put(away("web2", 11));
  chmodSync(named.config.keyPath, 0o644);
  {
    using names = daemon();
    await heard(1);
    expect(news).toMatchObject([{ failure: { code: "SOJ_DNS_KEY_FILE" } }]);
    expect(names.pending).toBe(1);
  }
  expect(drainOf("web2")).toMatchObject({ nameTtlS: 7, nameUpdatedMs: null });
  chmodSync(named.config.keyPath, 0o600);

  await named.kill();
  {
    using _names = daemon();
    await heard(2);
    expect(news[1]).toMatchObject({ failure: { code: "SOJ_DNS_REFUSED" } });
    await named.run();
    await heard(3);
  }
  expect(news[2]).toMatchObject({ address: "10.2.0.2", failure: null });
  expect(await named.look("web2.guests.test")).toEqual(["10.2.0.2 60"]);
});

test("no name is waited for longer than resolvers keep it", async () => {
  expect(await server.ttlOf("web3.guests.test", "10.1.0.12")).toBe(604_800);
  expect(await server.ttlOf("web9.guests.test", "10.1.0.12")).toBeNull();
});

test("an update with another key is refused, and told without a secret", async () => {
  const { stdout: key } = await runCommand("tsig-keygen", ["mover"]);
  const [, secret = "none"] = /secret "(.*)"/.exec(key) ?? [];
  const keyPath = `${folder.path}/other-key`;
  writeFileSync(keyPath, key, { mode: 0o600 });
  await using stranger = await nameServerIn(namespace, { ...named.config, keyPath });
  const change = { name: "web1.guests.test", remove: ["10.1.0.10"], add: "10.2.0.9" };
  const failure: unknown = await stranger.change(change).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "SOJ_DNS_REFUSED", retryable: true });
  expect(String((failure as Error).message)).toMatch(/tsig|BADSIG|NOTAUTH/i);
  expect(String((failure as Error).message)).not.toContain(secret);
  expect((await named.look("web1.guests.test")).join()).not.toContain("10.2.0.9");
});
