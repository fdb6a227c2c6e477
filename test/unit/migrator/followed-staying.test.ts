import { expect, test, vi } from "vitest";
import { hasStayed } from "../../../src/migrator/followed-staying.ts";
import { SojournError } from "../../../src/platform/errors.ts";
import { createLogger } from "../../../src/platform/log.ts";

const task = { id: "m1", guest: "web1", epoch: 3, to: "host-b" };
const held = new SojournError("SOJ_LIBVIRT_HOLDS_GUEST", "libvirt still receives web1 here");
const silent = new SojournError("SOJ_PEER_UNREACHABLE", "host-b does not answer");
const never = new AbortController().signal;

/** A destination that answers so, and a guest's process that ends once it has. */
function scene(answer: string | Error) {
  const ended = Promise.withResolvers<void>();
  let isAlive = true;
  const end = () => {
    isAlive = false;
    ended.resolve();
  };
  const call = vi.fn(async () => {
    if (typeof answer !== "string") throw answer;
    return { state: answer, takeover_ms: null, resume_ms: null };
  });
  const context = { peer: () => ({ peer: "host-b", call }), logger: createLogger("silent") };
  const instance = { isAlive: () => isAlive, ended: ended.promise };
  const asked = hasStayed(
    context as unknown as Parameters<typeof hasStayed>[0],
    ...([task, instance, never] as unknown as [typeof task, typeof instance, AbortSignal]),
  );
  return { asked, call, end };
}

test("a guest has stayed once its destination has given it up, or cannot be asked", async () => {
  expect(await scene("aborted").asked).toBe(true);
  expect(await scene(silent).asked).toBe(true);
});

test.each([
  { answer: held, what: "holds" },
  { answer: "taken-over", what: "runs" },
])("one whose process ends while the destination $what it has left", async ({ answer }) => {
  const { asked, call, end } = scene(answer);
  await expect.poll(() => call).toHaveBeenCalled();
  end();
  expect(await asked).toBe(false);
});

test("one whose process has ended, with a destination that cannot be asked, may have left", async () => {
  const { asked, end } = scene(silent);
  end();
  expect(await asked).toBe(false);
});
