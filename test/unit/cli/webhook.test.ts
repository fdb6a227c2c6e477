import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isSignedBy, keyOfSecret } from "../../../src/daemon/hooks/signature.ts";
import { fakeServices } from "../../support/fake-services.ts";
import { startLocalDaemon } from "../../support/local-daemon.ts";
import { runSojourn } from "../../support/sojourn-process.ts";
import { HooksHost, until } from "../daemon/hooks/hooks-host.ts";
import { startReceiver } from "../daemon/hooks/receiver.ts";

let host: HooksHost;
let stack: AsyncDisposableStack;
let run: (...args: string[]) => ReturnType<typeof runSojourn>;

beforeEach(async () => {
  stack = new AsyncDisposableStack();
  host = stack.use(await HooksHost.make());
  host.begin();
  const daemon = stack.use(
    await startLocalDaemon(() => ({ ...fakeServices(), ...host.hooks.services })),
  );
  run = (...args) => runSojourn(["webhook", ...args], { SOJOURN_SOCKET: daemon.socketPath });
});

afterEach(() => stack.disposeAsync());

describe("sojourn webhook", () => {
  it("subscribes a receiver, tests it, shows what it got, and ends it", async () => {
    const receiver = stack.use(await startReceiver());
    const added = await run("add", "chat", receiver.url, "--event", "outcomes", "guests");
    expect(added.stderr).toBe("");
    const secret = /whsec_\S+/.exec(added.stdout)?.[0] ?? "";
    expect((await run("test", "chat")).stdout).toMatch(/^chat answered 204 after \d+ ms\n$/);
    const [message] = receiver.received;
    if (message === undefined) throw new Error("no message");
    expect(isSignedBy(keyOfSecret(secret), message.headers, message.body, Date.now())).toBe(true);
    host.report("completed");
    await until(() => host.hooks.figures()[0]?.delivered === 1);
    const { stdout } = await run("deliveries", "chat");
    expect(stdout.split("\n")[1]).toMatch(
      /^msg_\S+ +migration.completed +web1 +delivered +1 +204 /,
    );
    const [line] = JSON.parse((await run("deliveries", "chat", "--json")).stdout);
    expect((await run("replay", "chat", line.id)).stdout).toBe("1 to be sent again\n");
    expect((await receiver.got(3))[2]?.headers["webhook-id"]).toBe(line.id);
    expect((await run("ls")).stdout).toMatch(/chat +http:\S+ +outcomes,guests +all +api/);
    expect((await run("rm", "chat")).exitCode).toBe(0);
    expect(JSON.parse((await run("ls", "--json")).stdout)).toEqual([]);
  });

  it("tells what is wrong, with the exit codes of all commands", async () => {
    const secret = join(host.stateFolder, "secret");
    await writeFile(secret, "a secret in plain text\n");
    const refused = await run("add", "a", "https://10.0.0.1/", "--secret-file", secret);
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining("10.0.0.1") });
    expect((await run("add", "a", "x")).exitCode).toBe(2);
    expect((await run("test", "none")).exitCode).toBe(3);
    expect((await run("replay", "exec")).exitCode).toBe(2);
    expect((await run("replay", "exec", "--dead")).stdout).toBe("0 to be sent again\n");
    const receiver = await startReceiver();
    await receiver[Symbol.asyncDispose]();
    await run("add", "away", receiver.url, "--secret-file", secret);
    const failed = await run("test", "away", "--json");
    expect(JSON.parse(failed.stdout)).toMatchObject({
      type: "error",
      code: "SOJ_HOOK_UNREACHABLE",
    });
    expect(failed.exitCode).toBe(1);
  });
});
