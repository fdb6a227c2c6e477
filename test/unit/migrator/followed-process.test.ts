import { expect, test } from "vitest";
import { endedInstance } from "../../../src/hypervisor/ended-instance.ts";
import type { GuestEvent } from "../../../src/hypervisor/hypervisor.ts";
import { FollowedProcess } from "../../../src/migrator/followed-process.ts";
import { recordOf } from "./support.ts";

const definition = {
  ...recordOf("web1", 10).definition,
  uuid: "8a1b2c3d-0000-4000-8000-000000000001",
};
const migration = {
  id: "m1",
  epoch: 2,
  role: "destination",
  peer: "host-a",
  resume: false,
} as const;
const record = { ...recordOf("web1", 10), definition, migration };

/** libvirt, which tells of domains that start, and one of whose domains can be taken hold of. */
function libvirt() {
  const listeners = new Set<(domain: { name: string }) => void>();
  const domains: { resume: () => void }[] = [];
  return {
    listeners,
    domains,
    start: () => {
      for (const listener of listeners) listener({ name: "web1" });
    },
    adoptDomain: async () => {
      let listen: (event: GuestEvent) => void = () => {};
      let state = "postmigrate";
      const resume = () => {
        state = "running";
        listen({ name: "RESUME", data: {}, timestampMs: 5, receivedMs: 5 });
      };
      domains.push({ resume });
      return {
        ...endedInstance(definition),
        ended: new Promise<void>(() => {}),
        isAlive: () => true,
        runState: async () => state,
        onEvent: (listener: typeof listen) => {
          listen = listener;
          return () => {};
        },
      };
    },
    onDomainStarted: (listener: (domain: { name: string }) => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function follow(host: ReturnType<typeof libvirt>) {
  const loaded: string[] = [];
  const context = { guests: { adopt: () => {}, release: () => {} }, logger: {} };
  const told = { onLoaded: () => void loaded.push("loaded"), onEnded: () => {} };
  return { loaded, process: new FollowedProcess(context as never, host as never, told) };
}

test("the domain that starts is found, and runs when libvirt lets it; the next one of its name is another's", async () => {
  const host = libvirt();
  const { loaded, process } = follow(host);
  await process.start(record);
  expect(process.isAlive()).toBe(true);
  host.start();
  await expect.poll(() => host.domains.length).toBe(1);
  await expect.poll(() => process.instance).not.toBeNull();
  expect(await process.isLoaded()).toBe(false);
  expect(loaded).toEqual([]);
  host.domains[0]?.resume();
  expect(process.resumedMs).toBe(5);
  expect(await process.isLoaded()).toBe(true);
  expect(loaded).toContain("loaded");
  expect(host.listeners.size).toBe(0);
});

test("what libvirt still receives is not given up", async () => {
  const host = libvirt();
  const { process } = follow(host);
  await process.start(record);
  await expect(process.end()).rejects.toMatchObject({ code: "SOJ_LIBVIRT_HOLDS_GUEST" });
});
