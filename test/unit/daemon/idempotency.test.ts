import { expect, test } from "vitest";
import {
  checkIdempotencyKey,
  IdempotentStarts,
  idempotencyOf,
  keyOfHeader,
} from "../../../src/daemon/idempotency.ts";
import type { MigrationRequest } from "../../../src/daemon/services.ts";
import type { Idempotency } from "../../../src/migrator/stored-migration.ts";

const request: MigrationRequest = { guest: "web1", to: "host-b" };

/** Starts that are counted and take a moment. */
function counted() {
  const known = new Map<string, { id: string; idempotency: Idempotency }>();
  const starts = new IdempotentStarts({ byKey: (key) => known.get(key) });
  const state = { started: 0, refuse: false };
  const begin = (wanted: MigrationRequest, key = "k1") => {
    const idempotency = idempotencyOf(key, wanted);
    return starts.start(idempotency, async () => {
      await new Promise((resolve) => setImmediate(resolve));
      if (state.refuse) throw new Error("refused");
      state.started += 1;
      const id = `m${state.started}`;
      known.set(key, { id, idempotency });
      return id;
    });
  };
  return { begin, state };
}

test("the same request with the same key begins one migration, also at the same time", async () => {
  const { begin, state } = counted();
  expect(await Promise.all([begin(request), begin(request), begin(request)])).toEqual([
    "m1",
    "m1",
    "m1",
  ]);
  expect(await begin({ ...request, tunnel: "auto" })).toBe("m1");
  expect(state.started).toBe(1);
  expect(await begin(request, "k2")).toBe("m2");
});

test("another request with a used key is refused with the migration's id", async () => {
  const { begin, state } = counted();
  const [first, second] = await Promise.allSettled([
    begin(request),
    begin({ ...request, to: "host-c" }),
  ]);
  expect(first).toMatchObject({ value: "m1" });
  expect(second).toMatchObject({
    reason: {
      code: "SOJ_IDEMPOTENCY_KEY_REUSED",
      exitCode: 3,
      httpStatus: 409,
      migration: "m1",
      message: expect.stringContaining("m1"),
    },
  });
  await expect(begin({ ...request, timeout_s: 9 })).rejects.toMatchObject({ httpStatus: 409 });
  expect(state.started).toBe(1);
});

test("a refused start leaves its key free, and is refused to each who asked", async () => {
  const { begin, state } = counted();
  state.refuse = true;
  const asked = await Promise.allSettled([begin(request), begin(request)]);
  expect(asked.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  state.refuse = false;
  expect(await begin({ ...request, to: "host-c" })).toBe("m1");
});

test("a key is one of printable characters, quoted or bare in its header", () => {
  const uuid = "8e03978e-40d5-43dd-bc93-6894a57f9324";
  expect(keyOfHeader(`"${uuid}"`)).toBe(uuid);
  expect(keyOfHeader(uuid)).toBe(uuid);
  expect(checkIdempotencyKey("~!#x".repeat(16))).toHaveLength(64);
  for (const bad of ["", "a b", 'a"b', "a\\b", "é", "x".repeat(65), "a\n"]) {
    expect(() => keyOfHeader(bad)).toThrowError(
      expect.objectContaining({ code: "SOJ_BAD_IDEMPOTENCY_KEY", exitCode: 2 }),
    );
  }
});
