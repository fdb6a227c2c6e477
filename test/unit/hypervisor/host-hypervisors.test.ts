import { expect, test } from "vitest";
import type { GuestDefinition } from "../../../src/hypervisor/definition.ts";
import { endedInstance } from "../../../src/hypervisor/ended-instance.ts";
import { HostHypervisors } from "../../../src/hypervisor/host-hypervisors.ts";
import type { AdoptingHypervisor, GuestInstance } from "../../../src/hypervisor/hypervisor.ts";
import { disconnectedError } from "../../../src/hypervisor/libvirt/driver/errors.ts";
import type { LibvirtHypervisor } from "../../../src/hypervisor/libvirt/driver/libvirt-hypervisor.ts";
import { definitionOf } from "../migrator/support.ts";

const byItself = definitionOf("web1", 10);
const ofLibvirt: GuestDefinition = { ...definitionOf("web2", 11), hypervisor: "libvirt" };
const offer = { description: "<domain/>", cookie: "" };
const nics = [{ tapName: "tap0" }];

/** Notes what each of the two is asked for. */
function bed({ takesDomains = true, withLibvirt = true } = {}) {
  const asked: string[] = [];
  const part = (kind: string, definition: GuestDefinition) => ({
    capabilities: async () => ({ version: kind, accelerator: "tcg" }),
    start: async ({ name }: GuestDefinition) => void asked.push(`${kind} start ${name}`),
    startIncoming: async ({ name }: GuestDefinition, _nics: unknown, given?: typeof offer) =>
      void asked.push(`${kind} startIncoming ${name} ${given?.description ?? "-"}`),
    findInstances: async () => [endedInstance(definition)],
    letGo: async ({ guest }: GuestInstance) => void asked.push(`${kind} letGo ${guest}`),
    adopt: async () => void asked.push(`${kind} adopt`),
    adoptDomain: async () => void asked.push(`${kind} adoptDomain`),
  });
  const hypervisors = new HostHypervisors({
    host: "host-a",
    qemu: part("qemu", byItself) as unknown as AdoptingHypervisor,
    libvirt: withLibvirt ? (part("libvirt", ofLibvirt) as unknown as LibvirtHypervisor) : null,
    takesDomains,
  });
  return { hypervisors, asked };
}

test("each guest is its own hypervisor's", async () => {
  const { hypervisors, asked } = bed();
  await hypervisors.start(byItself, nics);
  await hypervisors.startIncoming(byItself, nics);
  await hypervisors.startIncoming(ofLibvirt, nics, offer);
  await hypervisors.adoptDomain({ definition: ofLibvirt, uuid: "" });
  const found = await hypervisors.findInstances();
  for (const instance of found) await hypervisors.letGo(instance);
  expect(asked).toEqual([
    ...["qemu start web1", "qemu startIncoming web1 -", "libvirt startIncoming web2 <domain/>"],
    ...["libvirt adoptDomain", "qemu letGo web1", "libvirt letGo web2"],
  ]);
  expect((await hypervisors.capabilities()).version).toBe("qemu");
  expect((await hypervisors.capabilities("libvirt")).version).toBe("libvirt");
});

test.each([
  ["without libvirt", { withLibvirt: false, takesDomains: false }, ["web1"]],
  ["with guests that an earlier configuration left", { takesDomains: false }, ["web1", "web2"]],
])("a host %s takes in none of its guests, and keeps those that it has", async (_, kind, names) => {
  const { hypervisors, asked } = bed(kind);
  const refused = { code: "SOJ_LIBVIRT_DISABLED", exitCode: 3, hint: expect.any(String) };
  await expect(hypervisors.startIncoming(ofLibvirt, nics, offer)).rejects.toMatchObject(refused);
  const adoption = hypervisors.adoptDomain({ definition: ofLibvirt, uuid: "" });
  await expect(adoption).rejects.toMatchObject(refused);
  expect((await hypervisors.findInstances()).map(({ guest }) => guest)).toEqual(names);
  // They may leave, for which its version is compared with the other host's.
  const capabilities = hypervisors.capabilities("libvirt");
  if (names.includes("web2")) expect(await capabilities).toMatchObject({ version: "libvirt" });
  else await expect(capabilities).rejects.toMatchObject(refused);
  expect(asked).toEqual([]);
});

test("a host whose libvirt is not there is named", async () => {
  const gone = async () => {
    throw disconnectedError(new Error("connect ENOENT"));
  };
  const hypervisors = new HostHypervisors({
    ...{ host: "host-b", takesDomains: true },
    qemu: { capabilities: gone } as unknown as AdoptingHypervisor,
    libvirt: { capabilities: gone } as unknown as LibvirtHypervisor,
  });
  await expect(hypervisors.capabilities("libvirt")).rejects.toMatchObject({
    ...{ code: "SOJ_LIBVIRT_UNREACHABLE", exitCode: 3, retryable: true },
    message: "at host-b there is no connection to libvirt now: connect ENOENT",
  });
});
