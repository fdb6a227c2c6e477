import { expect, test } from "vitest";
import { checkPostCopy } from "../../../src/daemon/post-copy-check.ts";
import { usualOptions } from "../../../src/migrator/migration-options.ts";
import { plainStream } from "../../../src/migrator/stream-features.ts";

const task = { guest: "web1", to: "host-b", options: { ...usualOptions, postCopy: true } };

type Asked = Parameters<typeof checkPostCopy>;

/** A guest whose QEMU can do it, or not, here. */
function contextOf(canSend: boolean): Asked[0] {
  const instance = { streamFeatures: async () => ({ ...plainStream, postCopy: canSend }) };
  return {
    host: { name: "host-a" },
    guests: { instance: () => instance },
    policy: { multifdChannels: 0, compression: "none" },
  } as unknown as Asked[0];
}

const recordOf = (migration?: { post_copy: boolean }) =>
  ({ definition: { migration } }) as unknown as Asked[2];

test("a request for post-copy is refused before anything is touched where either side cannot do it", async () => {
  const cases = [
    [false, true],
    [true, false],
    [true, undefined],
  ] as const;
  for (const [canSend, canReceive] of cases) {
    const context = contextOf(canSend);
    const asked = checkPostCopy(context, { post_copy: true }, recordOf(), task, canReceive);
    await expect(asked).rejects.toMatchObject({
      ...{ code: "SOJ_POST_COPY_UNAVAILABLE", exitCode: 3, guestState: "untouched" },
      hint: expect.stringContaining("--post-copy"),
    });
    const defined = checkPostCopy(context, {}, recordOf({ post_copy: true }), task, canReceive);
    await expect(defined).rejects.toMatchObject({ exitCode: 3 });
  }
});

test("what only the host's configuration allows is left out where it cannot be done, and said so", async () => {
  const { options, warnings } = await checkPostCopy(
    ...([contextOf(true), {}, recordOf(), task, false] as const),
  );
  expect(options.postCopy).toBe(false);
  expect(warnings).toEqual([expect.stringContaining("host-b cannot receive web1")]);
});

test("whoever asks for post-copy is told what may be lost; whoever does not is told nothing", async () => {
  const asked = [contextOf(true), { post_copy: true }, recordOf()] as const;
  const { warnings } = await checkPostCopy(...asked, task, true);
  expect(warnings).toEqual([expect.stringMatching(/lost if host-a or host-b fails/)]);
  const plain = { ...task, options: usualOptions };
  expect(await checkPostCopy(...asked, plain, undefined)).toEqual({
    ...{ options: usualOptions, warnings: [] },
  });
});
