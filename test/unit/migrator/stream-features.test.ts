import { describe, expect, test } from "vitest";
import type { StreamFeatures } from "../../../src/hypervisor/hypervisor.ts";
import { usualOptions } from "../../../src/migrator/migration-options.ts";
import {
  agreedFeatures,
  featuresOf,
  offeredFeatures,
  plainStream,
  streamOf,
} from "../../../src/migrator/stream-features.ts";
import { task } from "./example-task.ts";

const withPostCopy = { ...task, options: { ...usualOptions, postCopy: true } };
const plain = { multifdChannels: 0, compression: "none" as const };

describe("what a stream may use", () => {
  test("nobody is asked, and nothing is sent, where nothing is wanted", async () => {
    const instance = {
      streamFeatures: async (): Promise<StreamFeatures> => {
        throw new Error("asked");
      },
    };
    expect(await offeredFeatures(instance, task, plain)).toEqual(plainStream);
    expect(streamOf(plainStream)).toEqual({});
  });

  test("a hypervisor without post-copy is refused before its destination is asked", async () => {
    await expect(offeredFeatures({}, withPostCopy, plain)).rejects.toMatchObject({
      code: "SOJ_POST_COPY_UNAVAILABLE",
      exitCode: 3,
    });
  });

  test("is what both have", () => {
    const offered = { postCopy: false, multifdChannels: 4, compression: "zstd" as const };
    const answer = { post_copy: false, multifd_channels: 2, compression: "none" as const };
    expect(agreedFeatures(task, offered, answer)).toEqual({
      postCopy: false,
      multifdChannels: 2,
      compression: "none",
    });
    expect(agreedFeatures(task, offered, undefined)).toEqual(plainStream);
  });

  test("a destination that does not answer for post-copy does not get the guest", () => {
    const offered = { ...plainStream, postCopy: true };
    expect(() => agreedFeatures(withPostCopy, offered, undefined)).toThrow(/host-b cannot/);
  });

  test("keeps its form on the way", () => {
    const features = { postCopy: true, multifdChannels: 3, compression: "zlib" as const };
    const { stream } = streamOf(features);
    expect(stream && featuresOf(stream)).toEqual(features);
  });
});
