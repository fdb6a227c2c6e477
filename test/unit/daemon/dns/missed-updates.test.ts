import { expect, test } from "vitest";
import { dnsConfig, dnsSection } from "../../../../src/daemon/dns/config.ts";
import { GuestNames, type NameNews } from "../../../../src/daemon/dns/guest-names.ts";
import { MovedNames } from "../../../../src/daemon/dns/moved-names.ts";
import type { NameChange } from "../../../../src/daemon/dns/update-script.ts";
import { RecordStore } from "../../../../src/migrator/record-store.ts";
import type { Drain, GuestRecord } from "../../../../src/migrator/records.ts";
import { SojournError } from "../../../../src/platform/errors.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { diskStorage } from "../../../../src/platform/storage.ts";
import { aToB, hostA, recordOf, temporaryFolder } from "../../migrator/support.ts";

const config = dnsConfig(
  dnsSection.parse({ server: "192.0.2.53", zone: "guests.test", key_file: "/etc/dns.key" }),
);
const name = "web1.guests.test";

test("a name leads nowhere that its guest has been, also after moves that its server has missed", async () => {
  using folder = temporaryFolder();
  const records = new RecordStore(`${folder.path}/guests`);
  const leads = new Set(["10.1.0.10"]);
  let answers = true;
  const server = {
    ttlOf: async () => 5,
    change: async ({ remove, add }: NameChange) => {
      if (!answers) throw new SojournError("SOJ_DNS_REFUSED", "silent", { retryable: true });
      for (const address of remove) leads.delete(address);
      if (add !== null) leads.add(add);
    },
  };
  const hold = async () => ({ [Symbol.dispose]: () => {} });
  /** Until something was tried. */
  const daemon = async () => {
    const { promise, resolve } = Promise.withResolvers<NameNews>();
    using names = new GuestNames({
      ...{ config: config ?? expect.fail(), server, isGuestStanding: () => false, tell: resolve },
      context: { host: hostA, records, network: { hold } as never, logger: createLogger("silent") },
      moved: new MovedNames(folder.path, diskStorage, () => {}),
    });
    names.begin();
    return await promise;
  };
  records.put(away("10.2.0.2", "m1"));
  await daemon();
  expect([...leads]).toEqual(["10.2.0.2"]);

  answers = false;
  records.put(recordOf("web1", 10));
  expect(await daemon()).toMatchObject({ name, failure: { code: "SOJ_DNS_REFUSED" } });
  for (const [index, renumbered] of ["10.3.0.2", "10.3.0.3"].entries()) {
    records.put(away(renumbered, `m${index + 2}`));
    await daemon();
  }
  answers = true;
  await daemon();
  expect([...leads]).toEqual(["10.3.0.3"]);

  answers = false;
  records.put(away("10.2.0.2", "m5"));
  await daemon();
  answers = true;
  records.put(recordOf("web1", 10));
  expect(await daemon()).toMatchObject({ address: "10.1.0.10", failure: null });
  expect([...leads]).toEqual(["10.1.0.10"]);
});

function away(renumbered: string, migration: string): GuestRecord {
  const drain: Drain = {
    ...{ migration, renumbered, begunMs: 1, nameUpdatedMs: null },
    ...{ idleTimeoutS: 60, capS: null, nameTtlS: 5 },
  };
  return { ...recordOf("web1", 10), redirect: { host: "host-b", tunnel: aToB, drain } };
}
