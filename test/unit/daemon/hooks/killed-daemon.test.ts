import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HooksHost, until } from "./hooks-host.ts";
import { startReceiver } from "./receiver.ts";

const count = 150;
const program = join(import.meta.dirname, "killed-daemon.ts");

describe("a daemon that is killed while it delivers", () => {
  it("has lost nothing, and sends little twice, with the same id", async () => {
    await using host = await HooksHost.make();
    await using receiver = await startReceiver();
    const secretFile = join(host.stateFolder, "secret");
    await writeFile(secretFile, "a secret in plain text", { mode: 0o600 });
    const args = [program, host.stateFolder, receiver.url, secretFile, String(count)];
    const daemon = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await once(daemon.stdout, "data");
      await receiver.got(count / 3);
    } finally {
      daemon.kill("SIGKILL");
      await once(daemon, "exit");
    }
    const before = receiver.received.length;
    expect(before).toBeLessThan(count);
    host.webhooks = [
      {
        ...{ name: "chat", url: receiver.url, secret_file: secretFile, timeout_ms: 5_000 },
        events: ["phases", "outcomes"],
      },
    ];
    host.begin();
    const ids = () => new Set(receiver.received.map(({ headers }) => headers["webhook-id"]));
    await until(() => ids().size === count, 15_000);
    await until(() => host.hooks.figures()[0]?.waiting === 0);
    expect(receiver.received.length).toBeLessThanOrEqual(count + 1);
    const order = receiver.received.map(({ body }) =>
      Number(JSON.parse(body).migration.id.slice(1)),
    );
    expect([...new Set(order)]).toEqual(Array.from({ length: count }, (_, index) => index));
  });
});
