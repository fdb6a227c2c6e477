import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HooksHost, until } from "./hooks-host.ts";

let host: HooksHost;

beforeEach(async () => {
  host = await HooksHost.make();
});

afterEach(() => host[Symbol.asyncDispose]());

const program = (name: string, script: string) =>
  writeFile(join(host.execFolder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
const lines = async () => {
  const text = await readFile(join(host.stateFolder, "out"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
};
const out = () => join(host.stateFolder, "out");
const deliveries = async () => (await host.hooks.services.listDeliveries("exec")).deliveries;

describe("programs of the hooks folder", () => {
  it("are run in the order of their names, with the payload and their variables", async () => {
    await program("20-second", `echo "second $SOJOURN_EVENT" >>${out()}`);
    await program(
      "10-first",
      `read -r body; echo "first $SOJOURN_GUEST $SOJOURN_ADDRESSES $SOJOURN_TO $body" >>${out()}`,
    );
    host.begin();
    host.report("completed");
    await until(async () => (await lines()).length === 2);
    const [first = "", second] = await lines();
    expect(first).toMatch(/^first web1 10\.1\.0\.10 host-b \{/);
    expect(JSON.parse(first.slice(first.indexOf("{")))).toMatchObject({
      type: "migration.completed",
      event: { type: "report" },
    });
    expect(second).toBe("second migration.completed");
    await until(async () => (await deliveries())[0]?.state === "delivered");
  });

  it("do not begin while a guest stands, not even behind one that has begun", async () => {
    await program("10-slow", `echo one >>${out()}; /usr/bin/sleep 0.3; echo two >>${out()}`);
    await program("20-next", `echo three >>${out()}`);
    host.begin();
    host.report("completed");
    await until(async () => (await lines()).length === 1);
    host.isGuestStanding = true;
    await until(async () => (await lines()).length === 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await lines()).toEqual(["one", "two"]);
    host.isGuestStanding = false;
    await until(async () => (await lines()).length === 3);
  });

  it("run one at a time for each guest, and those of different guests side by side", async () => {
    await program(
      "10-slow",
      `echo "begin $SOJOURN_GUEST" >>${out()}; /usr/bin/sleep 0.3; echo "end $SOJOURN_GUEST" >>${out()}`,
    );
    host.begin();
    host.phase("precopy", "m1", "web1");
    host.phase("resumed", "m1", "web1");
    host.phase("precopy", "m2", "web2");
    await until(async () => (await lines()).length === 6);
    const all = await lines();
    expect(all.filter((line) => line.endsWith("web1"))).toEqual([
      ...["begin web1", "end web1", "begin web1", "end web1"],
    ]);
    expect(all.slice(0, 2).toSorted()).toEqual(["begin web1", "begin web2"]);
  });

  it("that fail are told in the log, not run again, and keep nobody else from running", async () => {
    await program("10-fails", "echo broken >&2; exit 3");
    await program("20-runs", `echo ran >>${out()}`);
    host.begin();
    host.report("completed");
    await until(async () => (await deliveries())[0]?.state === "dead");
    expect((await deliveries())[0]).toMatchObject({ attempts: 1, status: 3 });
    expect(await lines()).toEqual(["ran"]);
    expect(host.logged).toContainEqual(
      expect.objectContaining({ program: "10-fails", exitCode: 3, output: "broken" }),
    );
    await program("10-fails", "exit 0");
    const [failed] = await deliveries();
    await host.hooks.services.replayDelivery("exec", failed?.id ?? "");
    await until(async () => (await deliveries())[0]?.state === "delivered");
  });

  it("that end with 75 are run again", async () => {
    await program("10-busy", `echo ran >>${out()}; [ $(wc -l <${out()}) -ge 2 ] || exit 75`);
    host.begin();
    host.report("completed");
    await until(async () => (await deliveries())[0]?.state === "delivered");
    expect(await lines()).toEqual(["ran", "ran"]);
  });

  it("that others may write to are not run, with one alarm", async () => {
    await program("10-open", `echo ran >>${out()}`);
    await chmod(join(host.execFolder, "10-open"), 0o777);
    host.begin();
    host.phase("precopy");
    host.report("completed");
    await until(async () => {
      const dead = (await deliveries()).filter(({ state }) => state === "dead");
      return dead.length === 2;
    });
    expect(await lines()).toEqual([]);
    const alarms = host.logged.filter(({ message }) => String(message).startsWith("alarm"));
    expect(alarms).toHaveLength(1);
  });

  it("are ended after their time, and at the daemon's end, and begun again by the next", async () => {
    host.config = { exec_timeout_s: 0.2 };
    await program("10-slow", `echo begun >>${out()}; exec /usr/bin/sleep 60`);
    host.begin();
    host.report("completed");
    await until(async () => (await deliveries())[0]?.state === "dead");
    expect(host.logged).toContainEqual(expect.objectContaining({ endedBy: "timeout" }));
    await host.end();
    // Its time may have been over before it had told anything.
    const { length: told } = await lines();
    host.config = {};
    host.begin();
    host.report("completed", "m2");
    await until(async () => (await lines()).length > told);
    const startMs = Date.now();
    await host.end();
    expect(Date.now() - startMs).toBeLessThan(2_500);
    await program("10-slow", `echo again >>${out()}`);
    host.begin();
    await until(async () => (await lines()).includes("again"));
  });

  it("cost nothing when there are none", async () => {
    host.begin();
    for (let count = 0; count < 100; count += 1) host.report("completed", `m${count}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await deliveries()).toEqual([]);
  });
});
