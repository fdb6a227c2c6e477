import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isSignedBy, keyOfSecret } from "../../src/daemon/hooks/signature.ts";
import { TestLab } from "../support/lab.ts";
import { move } from "./support/moves.ts";
import { NodeProgram } from "./support/node-program.ts";

interface Message {
  headers: Record<string, string>;
  body: string;
}

const port = "8099";
const secret = "a secret in plain text";
const types = [
  ...[
    "preparing",
    "prepared",
    "precopy",
    "armed",
    "switchover",
    "resumed",
    "verifying",
    "completed",
  ],
].map((name) => `migration.${name}`);

describe("hooks of a real move", () => {
  let lab: TestLab;

  beforeAll(async () => {
    lab = await TestLab.up(`hooks${process.pid}`, ["--hosts", "2"]);
  });

  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  /** What the node sees as /etc/sojourn. */
  const etc = (host: string) => `/run/sojourn-lab/${lab.name}/nodes/${host}/etc`;
  const told = (host: string) =>
    readFileSync(join(etc(host), "told"), "utf8")
      .split("\n")
      .slice(0, -1);

  test("a receiver that is away, and a daemon that is killed meanwhile, lose none of it", async () => {
    for (const host of ["host-a", "host-b"]) {
      const folder = join(etc(host), "hooks.d");
      mkdirSync(folder, { mode: 0o755 });
      const script = '#!/bin/sh\necho "$SOJOURN_EVENT $SOJOURN_ADDRESSES" >>/etc/sojourn/told\n';
      writeFileSync(join(folder, "10-tell"), script, { mode: 0o755 });
    }
    writeFileSync(join(etc("host-a"), "secret"), secret, { mode: 0o600 });
    await lab.configure(
      "host-a",
      `[hooks]
allow_targets = ["127.0.0.1"]
[[webhooks]]
name = "chat"
url = "http://127.0.0.1:${port}/hook"
secret_file = "/etc/sojourn/secret"`,
    );
    const { report } = await move(lab, "host-a", "host-b");
    await lab.cli(["lab", "kill", "--lab", lab.name, "host-a"]);
    await using receiver = NodeProgram.start<Message>(lab.name, "host-a", "hook-receiver.ts", [
      port,
    ]);
    await lab.cli(["lab", "restart", "--lab", lab.name, "host-a"]);

    for (const type of ["guest.departed", "migration.completed"]) {
      await receiver.line(({ body }) => typeOf(body) === type);
    }
    const received = receiver.lines.map(({ body }) => typeOf(body));
    expect(received.filter((type) => type.startsWith("migration."))).toEqual(types);
    const end = receiver.lines.find(({ body }) => typeOf(body) === "migration.completed");
    expect(JSON.parse(end?.body ?? "")).toMatchObject({
      host: "host-a",
      guest: { name: "web1", addresses: ["10.1.0.10"], home: "host-a" },
      migration: { from: "host-a", to: "host-b", state: "completed" },
      event: { type: "report", blackout_ms: report?.blackout_ms },
    });
    for (const { headers, body } of receiver.lines) {
      expect(isSignedBy(keyOfSecret(secret), headers, body, Date.now())).toBe(true);
    }
  });

  test("programs have run at both hosts, at the destination for the guest that has come", async () => {
    await expect
      .poll(() => told("host-b"), { timeout: 10_000 })
      .toEqual(["guest.arrived 10.1.0.10"]);
    const all = ["guest.arrived", ...types, "guest.departed"].map((type) => `${type} 10.1.0.10`);
    await expect.poll(() => told("host-a").toSorted(), { timeout: 10_000 }).toEqual(all.toSorted());
  });
});

function typeOf(body: string): string {
  return JSON.parse(body).type;
}
