import { expect, test } from "vitest";
import { listenForRecovery, pausePostCopy } from "../../../src/hypervisor/qemu/post-copy.ts";
import { QmpCommandError } from "../../../src/hypervisor/qemu/qmp/errors.ts";

const ports = { first: 49_400, last: 49_402 };
const refusal = (words: string) => new QmpCommandError("migrate-recover", "GenericError", words);
const inUse = refusal("Failed to find an available port: Address already in use");

/** A QEMU for which these ports are taken. */
function recovering(...taken: number[]) {
  const asked: string[] = [];
  const execute = async (_: string, { uri }: Record<string, unknown> = {}) => {
    asked.push(String(uri));
    if (taken.some((port) => String(uri).endsWith(`:${port}`))) throw inUse;
    return {};
  };
  return { asked, execute };
}

test("the rest of a guest is taken on a port of those that are meant for it", async () => {
  const { asked, execute } = recovering(49_400, 49_401);
  expect(await listenForRecovery(execute, "192.0.2.1", ports)).toEqual({ port: 49_402 });
  expect(asked[0]).toBe("tcp:192.0.2.1:49400");
});

test("QEMU's words when none of them is free, or when it does not wait for the rest", async () => {
  const { execute } = recovering(49_400, 49_401, 49_402);
  await expect(listenForRecovery(execute, "192.0.2.1", ports)).rejects.toBe(inUse);
  const notPaused = refusal("Migrate recover can only be run when postcopy is paused.");
  const refuse = async () => Promise.reject(notPaused);
  await expect(listenForRecovery(refuse, "192.0.2.1", ports)).rejects.toBe(notPaused);
});

test("without ports of its own it has one that is free", async () => {
  const { asked, execute } = recovering();
  const { port } = await listenForRecovery(execute, "::1", null);
  expect(asked).toEqual([`tcp:[::1]:${port}`]);
  const nobodys = { code: "SOJ_HYPERVISOR_REFUSED", retryable: true };
  await expect(listenForRecovery(execute, "192.0.2.77", null)).rejects.toMatchObject(nobodys);
});

test("giving a connection up that is not there is no fault, being silent about it is", async () => {
  const never = new Promise<never>(() => {});
  const refused = async () => Promise.reject(refusal("only supported during postcopy-active"));
  await pausePostCopy({ waitForEvent: () => never }, refused);
  const late = async () => Promise.reject(new Error("no postcopy-paused within 5000 ms"));
  await expect(pausePostCopy({ waitForEvent: late }, async () => ({}))).rejects.toThrow("within");
});
