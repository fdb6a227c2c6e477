import { expect, test } from "vitest";
import { firmwareGuest, QemuHost } from "../support/qemu-host.ts";

const ports = { first: 49_310, last: 49_311 };

test("guests arrive on the ports that are meant for them, one on each", async () => {
  await using host = await QemuHost.create(null, ports);
  const listen = async (name: string) => {
    const instance = await host.startIncoming(firmwareGuest({ name }));
    return instance.listenForMigration("127.0.0.1", "host-a");
  };
  expect(await listen("web1")).toEqual({ port: ports.first });
  expect(await listen("web2")).toEqual({ port: ports.last });
  await expect(listen("web3")).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
});
