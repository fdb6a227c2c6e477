import { expect, test } from "vitest";
import type { DaemonConfig } from "../../../src/daemon/config.ts";
import { requireStreamAddress } from "../../../src/daemon/stream-address.ts";

const migration = (address: string | null) => ({ migration: { address } }) as DaemonConfig;

test("guests arrive at the underlay address, or at another one that this host has", () => {
  expect(() => requireStreamAddress(migration(null))).not.toThrow();
  expect(() => requireStreamAddress(migration("127.0.0.1"))).not.toThrow();
});

test("a daemon does not start with an address that is another machine's", () => {
  expect(() => requireStreamAddress(migration("192.0.2.77"))).toThrow(
    expect.objectContaining({ code: "SOJ_CONFIG_INVALID", exitCode: 3 }),
  );
});
