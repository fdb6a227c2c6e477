import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runSojourn } from "../../support/sojourn-process.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "sojourn-pki-"));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const pki = async (...args: string[]) => (await runSojourn(["pki", ...args, "--dir", dir])).stdout;

it("says that an authority was there and is kept", async () => {
  expect(await pki("init")).toMatch(/^certificate authority: /);
  expect(await pki("init")).toMatch(/^certificate authority, there already and kept: /);
  expect(JSON.parse(await pki("init", "--json"))).toMatchObject({ type: "pki", created: false });
});

it("says who will refuse a host's certificate without an address", async () => {
  await pki("init");
  expect(await pki("issue", "host-a")).toContain("callers of the HTTP API by the host's address");
  const complete = await pki("issue", "host-a", "--address", "172.16.1.2");
  expect(complete.trim().split("\n")).toHaveLength(3);
});

it("says what lets a client in: the authority, and the line with its role", async () => {
  await pki("init");
  const text = await pki("issue", "ansible", "--client", "--role", "operate");
  expect(text).toContain("client_ca");
  expect(text.trim().split("\n").slice(-2)).toEqual(["[api.clients]", 'ansible = "operate"']);
});
