import { expect, test } from "vitest";
import { followHandlers } from "../../../../src/daemon/libvirt-hooks/followed.ts";

type Context = Parameters<typeof followHandlers>[0];

const uuid = "d5814796-6296-45da-a1e3-bddc05dd4c7b";

/** A host with one guest that runs. */
function handlers(definition: { hypervisor?: "libvirt"; uuid?: string }) {
  const followed: string[] = [];
  const context = {
    guests: { instance: () => ({ isAlive: () => true }) },
    records: { get: () => ({ definition, hosting: {} }) },
  } as unknown as Context;
  const follow = async (guest: string, to: string) => {
    followed.push(`${guest} to ${to}`);
    return "m1";
  };
  return { followed, ...followHandlers(context, { follow }) };
}

const caller = { peer: "host-b" } as Parameters<
  ReturnType<typeof followHandlers>["follow-guest"]
>[1];

test("only a domain that runs here as the guest is followed", async () => {
  const host = handlers({ hypervisor: "libvirt", uuid });
  expect(await host["follow-guest"]({ guest: "web1", uuid }, caller)).toEqual({ id: "m1" });
  const other = uuid.replace("d5", "e6");
  await expect(host["follow-guest"]({ guest: "web1", uuid: other }, caller)).rejects.toMatchObject({
    code: "SOJ_GUEST_UNKNOWN",
  });
  expect(host.followed).toEqual(["web1 to host-b"]);
});

test("a guest of Sojourn's own QEMU is not followed, whoever says that libvirt sends it", async () => {
  const host = handlers({ uuid });
  await expect(host["follow-guest"]({ guest: "web1", uuid }, caller)).rejects.toMatchObject({
    code: "SOJ_GUEST_UNKNOWN",
  });
  expect(host.followed).toEqual([]);
});
