import { execFile } from "node:child_process";
import { readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GuestInstance } from "../../src/hypervisor/hypervisor.ts";
import { firmwareGuest, QemuHost } from "../support/qemu-host.ts";

const leaveGuestRunning = fileURLToPath(
  new URL("../support/leave-guest-running.ts", import.meta.url),
);

describe("after a restart of the daemon", () => {
  let host: QemuHost;
  beforeEach(async () => {
    host = await QemuHost.create();
  });
  afterEach(() => host[Symbol.asyncDispose]());

  async function findAll(): Promise<GuestInstance[]> {
    const found = await host.newHypervisor().findInstances();
    return found.map((instance) => host.own(instance));
  }

  /** Starts a guest in a process that is then killed. */
  async function orphan(name = "web1"): Promise<{ pid: number; instanceId: string }> {
    const definition = JSON.stringify(firmwareGuest({ name }));
    const { promise, resolve } = Promise.withResolvers<string>();
    execFile(process.execPath, [leaveGuestRunning, host.runDir, definition], (_, stdout) =>
      resolve(stdout),
    );
    return JSON.parse(await promise);
  }

  const recordOf = (instance: { instanceId: string }, name = "web1") =>
    `${host.runDir}/guests/${name}/${instance.instanceId}/instance.json`;

  test("a guest that outlived its daemon is found, spoken to and seen ending", async () => {
    const left = await orphan();
    const [guest, ...others] = await findAll();
    expect(others).toEqual([]);
    expect(guest).toMatchObject({ ...left, guest: "web1", incoming: false, nics: [] });
    expect(guest?.definition).toEqual(firmwareGuest());
    expect(await guest?.runState()).toBe("running");
    await guest?.stop();
    expect(await guest?.runState()).toBe("paused");
    process.kill(left.pid, "SIGKILL");
    await guest?.ended;
    await expect(guest?.runState()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_GONE" });
    expect(await findAll()).toEqual([]);
  });

  test("a process whose number was not yet written down is found by its arguments", async () => {
    const left = await orphan();
    const record = JSON.parse(await readFile(recordOf(left), "utf8"));
    await writeFile(recordOf(left), JSON.stringify({ ...record, process: null }));
    const [guest] = await findAll();
    expect(guest).toMatchObject(left);
    expect(await guest?.runState()).toBe("running");
  });

  test("an ended process is forgotten, its number in other hands is left alone", async () => {
    const left = await orphan();
    const text = await readFile(recordOf(left), "utf8");
    const [guest] = await findAll();
    await guest?.quit();
    await expect
      .poll(() => readdir(host.pathOf(guest as GuestInstance, ".")))
      .not.toContain("instance.json");
    const record = JSON.parse(text);
    for (const pid of [process.pid, left.pid]) {
      const stale = { ...record, process: { ...record.process, pid } };
      await writeFile(recordOf(left), JSON.stringify(stale));
      expect(await findAll()).toEqual([]);
      await expect(readFile(recordOf(left))).rejects.toMatchObject({ code: "ENOENT" });
    }
  });

  test("a damaged record hides no other guest", async () => {
    const [broken, whole] = [await orphan("db1"), await orphan("web1")];
    const text = await readFile(recordOf(broken, "db1"), "utf8");
    await writeFile(recordOf(broken, "db1"), text.slice(0, 50));
    const [found, ...others] = await findAll();
    expect([found?.guest, others]).toEqual(["web1", []]);
    await found?.[Symbol.asyncDispose]();
    await writeFile(recordOf(broken, "db1"), text);
    expect((await findAll()).map(({ pid }) => pid).sort()).toEqual([broken.pid, whole.pid].sort());
  });

  test("a frozen process is still handed out and answers once it thaws", async () => {
    const left = await orphan();
    process.kill(left.pid, "SIGSTOP");
    const [guest] = await findAll();
    expect(guest?.isAlive()).toBe(true);
    await expect(guest?.runState()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_DISCONNECTED" });
    process.kill(left.pid, "SIGCONT");
    const state = () => guest?.runState().catch(() => null);
    await expect.poll(state, { timeout: 15_000 }).toBe("running");
  });

  test("the socket of another guest in its place is not spoken to", async () => {
    const [web, db] = [await orphan("web1"), await orphan("db1")];
    const folder = (name: string, { instanceId }: { instanceId: string }) =>
      `${host.runDir}/guests/${name}/${instanceId}`;
    const webSocket = `${folder("web1", web)}/qmp.sock`;
    const dbSocket = `${folder("db1", db)}/qmp.sock`;
    await rename(webSocket, `${webSocket}.aside`);
    await symlink(dbSocket, webSocket);
    // The other guest's monitor has to be free, so it is looked at after this one.
    await rename(recordOf(db, "db1"), `${recordOf(db, "db1")}.aside`);
    const [guest] = await findAll();
    await expect(guest?.stop()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_WRONG_GUEST" });
    await rm(webSocket);
    await rename(`${webSocket}.aside`, webSocket);
    await rename(`${recordOf(db, "db1")}.aside`, recordOf(db, "db1"));
    const other = (await findAll()).find((instance) => instance.guest === "db1");
    expect(await other?.runState()).toBe("running");
  });

  test("an incoming process stays one", async () => {
    const incoming = await host.startIncoming();
    await incoming[Symbol.asyncDispose]();
    const [found] = await findAll();
    expect(found).toMatchObject({ pid: incoming.pid, incoming: true });
    expect(await found?.runState()).toBe("inmigrate");
    await expect(found?.cont()).rejects.toMatchObject({ code: "SOJ_HYPERVISOR_REFUSED" });
  });
});
